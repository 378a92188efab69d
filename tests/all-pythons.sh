#!/bin/sh
# The fast tests on every Python that the function may meet, but for the one of .venv, which has run
# all of them: 3.11, 3.12 and 3.13 as found on PATH or below ~/.pyenv, or those that PYTHONS names.
# One that is missing is named and is no fault; one that was asked for by PYTHONS has to run.
set -eu
cd "$(dirname "$0")/.."

version='import sys, ensurepip, venv; print("%d.%d" % sys.version_info[:2])'
asked=${PYTHONS:-}
have=$(.venv/bin/python -c "$version")
failed=''

say() { echo "test-all: $*"; }

# The first that runs, of PATH and pyenv; a pyenv shim may stand on PATH and start nothing.
find_python() {
    for python in "python$1" "${HOME:-}/.pyenv/versions/$1".*/bin/python; do
        if [ "$("$python" -c "$version" 2>/dev/null)" = "$1" ]; then
            command -v "$python"
            return
        fi
    done
}

install() { # python, folder
    [ "$2/.installed" -nt requirements/tests.txt ] && return
    say "making $2 with $1: once, about half a minute"
    "$1" -m venv --clear "$2" &&
        "$2/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
            --require-hashes -r requirements/tests.txt && touch "$2/.installed"
}

run() { # version, python
    if ! install "$2" ".venv-$1"; then
        say "Python $1: requirements/tests.txt cannot be installed (its pins are compiled for 3.11)"
        failed="$failed $1"
        return
    fi
    say "Python $1: the tests that are neither long nor start processes"
    ".venv-$1/bin/python" -m pytest -n auto --dist worksteal -q -m 'not long and not world' ||
        failed="$failed $1"
}

found=0
if [ -n "$asked" ]; then
    for python in $asked; do
        number=$("$python" -c "$version") || { say "$python does not run, or has no venv"; exit 1; }
        found=$((found + 1))
        run "$number" "$python"
    done
else
    for number in 3.11 3.12 3.13; do
        [ "$number" = "$have" ] && continue
        python=$(find_python "$number")
        if [ -z "$python" ]; then
            say "Python $number is missing here and is not tested"
            continue
        fi
        found=$((found + 1))
        run "$number" "$python"
    done
fi

[ "$found" -gt 0 ] || say "no other Python was found; only $have is tested"
[ -z "$failed" ] || { say "failed on Python$failed"; exit 1; }
