"""The installation that Terraform makes, as a script of gcloud commands.

    python -m deploy.gcloud --config failover.yaml --region us-central1 --region us-east5 \\
        --email oncall@example.com --archive dist/function.zip --to dist/gcloud

It reads failover.yaml and writes `deploy.sh` and the JSON files that it names; it runs nothing. A
second run of the script makes what is missing and brings functions, roles and alert policies up to
date; what else exists is left as it is. Names, sizes and texts are compared with a plan of
Terraform's by tests/terraform/test_gcloud.py. A text from the file or from the command line reaches
the shell in quotes only (`deploy.gcloud.step`), and both are checked before anything is written.
"""
