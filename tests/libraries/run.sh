#!/bin/sh
# The tests of this folder, then those of the client with the oldest boto3 that it allows.
# Each library has a process of its own: dyntastic changes boto3's types for all that share one.
# `make test-libraries` has made the environment. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/../.."

folder=.venv-libraries
failed=''

for file in tests/libraries/test_*.py; do
    "$folder/bin/python" -m pytest -q "$@" "$file" || failed="$failed $file"
done

echo "test-libraries: tests/client/test_dynamodb.py with the oldest boto3"
PYTHONPATH="$PWD/$folder/oldest" "$folder/bin/python" -c \
    'import boto3, botocore; print("boto3", boto3.__version__, "botocore", botocore.__version__)'
PYTHONPATH="$PWD/$folder/oldest" "$folder/bin/python" -m pytest -q "$@" tests/client/test_dynamodb.py ||
    failed="$failed tests/client/test_dynamodb.py (oldest boto3)"

[ -z "$failed" ] || { echo "test-libraries: failed:$failed"; exit 1; }
