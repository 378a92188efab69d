#!/bin/sh
# The tests of this folder, then those of the client with the oldest boto3 that it allows.
# Each library has a process of its own: dyntastic changes boto3's types for all that share one.
# `make test-libraries` has made the environment. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/../.."

folder=.venv-libraries
failed=''

run() { # file, pytest's arguments; nothing to run (5) is no fault where arguments select
    file=$1
    shift
    status=0
    "$folder/bin/python" -m pytest -q "$@" "$file" || status=$?
    [ "$status" -eq 0 ] || { [ "$status" -eq 5 ] && [ "$#" -gt 0 ]; } || failed="$failed $file"
}

for file in tests/libraries/test_*.py; do
    run "$file" "$@"
done

echo "test-libraries: tests/client/test_dynamodb.py with the oldest boto3"
export PYTHONPATH="$PWD/$folder/oldest"
"$folder/bin/python" -c \
    'import boto3, botocore; print("boto3", boto3.__version__, "botocore", botocore.__version__)'
run tests/client/test_dynamodb.py "$@"

[ -z "$failed" ] || { echo "test-libraries: failed:$failed"; exit 1; }
