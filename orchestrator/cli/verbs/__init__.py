"""The verbs of `failoverctl`: each module holds its click command and what the command does.

Law of this package: a module here is imported when its verb is run or its help is shown, and at no
other time. Its line in the list of verbs stands in `orchestrator.cli.app`.
"""
