"""`python -m orchestrator.cli`, the same as `failoverctl`."""

from orchestrator.cli.app import main

if __name__ == "__main__":
    main()
