#!/bin/sh
# Installs the orchestrator, or brings it up to date: `make deploy` and `make deploy-gcloud`.
#
#   deploy/deploy.sh terraform [ARGUMENTS OF terraform plan]
#   deploy/deploy.sh gcloud --region R --region R --email E [--name N]
#
# CONFIG   failover.yaml or another file of its kind
# DRY_RUN  1: every command is printed, and Terraform's plan made, but nothing is applied
# FORCE    1: also while a service is shifting or frozen
# YES      1: nobody is asked
# PYTHON   one that has what `failoverctl` needs
set -eu
cd "$(dirname "$0")/.."

way=$1
shift
config=${CONFIG:-failover.yaml}
python=${PYTHON:-.venv-run/bin/python}
archive=$PWD/dist/function.zip
plan=$PWD/dist/deploy.tfplan
case $config in /*) ;; *) config=$PWD/$config ;; esac

say() {
    printf '+'
    for word in "$@"; do
        case $word in
            *[!A-Za-z0-9_./:=,@%+-]*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

run() {
    say "$@"
    "$@"
}

# Nothing is planned on values that are about to change.
check_ready() {
    say failoverctl --config "$config" status --json '|' python3 deploy/ready.py
    if "$python" -m orchestrator.cli status --json --config "$config" |
        "$python" deploy/ready.py; then
        return
    fi
    if [ "${DRY_RUN:-}" = 1 ]; then
        echo 'A deployment would be refused now.' >&2
    elif [ "${FORCE:-}" = 1 ]; then
        echo 'Deploying all the same: FORCE=1.' >&2
    else
        echo 'Nothing was deployed. FORCE=1 deploys all the same.' >&2
        exit 1
    fi
}

# Give up unless somebody says yes; then look again, for a question may stand for hours.
confirm() {
    [ "${YES:-}" = 1 ] && return
    printf 'Do this? Only "yes" is taken for an answer: '
    read -r answer || answer=
    [ "$answer" = yes ] || { echo 'Nothing was deployed.' >&2; exit 1; }
    check_ready
}

with_terraform() {
    trap 'rm -f "$plan"' EXIT
    run terraform -chdir=terraform init -input=false
    run terraform -chdir=terraform plan -input=false "-out=$plan" \
        "-var=config=$config" "-var=source_archive=$archive" "$@"
    if [ "${DRY_RUN:-}" = 1 ]; then
        say terraform -chdir=terraform apply -input=false "$plan"
        return
    fi
    confirm
    run terraform -chdir=terraform apply -input=false "$plan"
}

with_gcloud() {
    "$python" -m deploy.gcloud --config "$config" --archive "$archive" --to dist/gcloud "$@"
    if [ "${DRY_RUN:-}" = 1 ]; then
        cat dist/gcloud/deploy.sh
        return
    fi
    confirm
    sh -v dist/gcloud/deploy.sh
}

run "$python" deploy/package.py --config "$config" --output "$archive"
check_ready
"with_$way" "$@"
