# Every verb a developer needs; `make` alone lists them. What CI runs is `make check`, and after it the
# fast tests on the other Pythons that are there (tests/all-pythons.sh).
# GNU make 3.81 or newer and a POSIX shell. Nothing is installed outside of the folders below.

VENV     = .venv
RUN      = .venv-run
FUNCTION = .venv-function
LOCK     = .venv-lock
FUZZ     = .venv-fuzz
CHECKOV  = .venv-checkov
AUDIT    = .venv-audit
LIBRARIES = .venv-libraries
OTHERS   = .venv-3.*

ALERT = examples/alerts/primary-down.json
STATE =
ARGS  =
PYTHONS =
CONFIG  = failover.yaml

# The newest Python that will do; PYTHON=/some/python3.12 overrides it.
USABLE  = import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	if $$p -c '$(USABLE)' >/dev/null 2>&1; then command -v $$p; break; fi; done)
# The oldest Python served compiles the pins: newer ones only need fewer packages, never other ones.
LOCK_PYTHON = python3.11

# Most of the fast tests' time is spent waiting for processes: more of them than processors.
WORKERS = $(shell n=$$(getconf _NPROCESSORS_ONLN); if [ "$$n" -gt 4 ]; then echo "$$n"; else echo 4; fi)

# Laws are tried with a quarter of their examples unless this is given (tests/support/examples.py).
THOROUGH = --hypothesis-profile=thorough

# Tests start a hundred processes of ours, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

INSTALL = -m pip install --quiet --disable-pip-version-check --no-input --require-hashes

.PHONY: help setup run test test-long test-all test-libraries check scan audit fuzz fmt docs lock tf-lock invoke bench-cold bench-client bench-asyncio bench-lost bench-hedged bench-readers package deploy deploy-gcloud clean

help: ## list these commands (the default)
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup: $(VENV)/.installed ## install what development needs into .venv

run: $(RUN)/.installed ## run the laptop world: regions fail, the traffic moves, the screen shows it (ARGS=...)
	@$(RUN)/bin/python -m orchestrator.local.run $(ARGS)

test: $(VENV)/.installed ## run the tests without the long ones (ARGS='-k fence -x')
	@$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal -m 'not long' $(ARGS)

test-long: $(VENV)/.installed ## run the long tests, and the property tests with all their examples
	@$(VENV)/bin/python -m pytest -n auto --dist worksteal $(THOROUGH) -m 'long or hypothesis' $(ARGS)

test-all: $(VENV)/.installed ## run all tests, then the fast ones on every other Python (PYTHONS='/some/python3.12 ...')
	@$(VENV)/bin/python -m pytest -n auto --dist worksteal $(THOROUGH) $(ARGS)
	@PYTHONS='$(PYTHONS)' sh tests/all-pythons.sh

test-libraries: $(LIBRARIES)/.installed ## test the client with other libraries and with the oldest boto3 (ARGS='-k lock')
	@sh tests/libraries/run.sh $(ARGS)

check: $(VENV)/.installed ## run what CI runs: format, lint, types, imports, scan, tests (with Terraform's)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	@$(MAKE) --no-print-directory scan
	$(VENV)/bin/python -m pytest -n auto --dist worksteal $(THOROUGH) -m 'not client'

scan: $(CHECKOV)/.installed ## look for insecure settings in terraform/ (checkov)
	@if [ -e $< ]; then $(CHECKOV)/bin/checkov --config-file terraform/.checkov.yaml; fi

fuzz: $(VENV)/.installed $(FUZZ)/.installed ## feed odd inputs to every reader of outside data (ARGS='--seconds 600 --jobs 2')
	@PYTHONPATH=.:$(FUZZ) $(VENV)/bin/python -m tests.fuzz $(ARGS)

audit: $(AUDIT)/.installed ## look for known vulnerabilities of every pinned version (ARGS='-s pypi')
	@if [ -e $< ]; then $(AUDIT)/bin/python tests/tools/audit.py $(PINS) -- -s osv $(ARGS); fi

PINS = requirements.txt requirements/mirrors.txt requirements/local.txt \
	requirements/tests.txt requirements/fuzz.txt requirements/checkov.txt requirements/pip-audit.txt requirements/pip-tools.txt \
	requirements/libraries.txt requirements/bloop.txt requirements/oldest.txt

fmt: $(VENV)/.installed ## format the code, and fix what lint can fix
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	@if command -v terraform >/dev/null; then terraform fmt -recursive terraform; fi

docs: $(VENV)/.installed ## write the generated documents (from the schema, the verbs, Terraform and the rooms)
	@$(VENV)/bin/python -m orchestrator.config.reference
	@$(VENV)/bin/python -m orchestrator.cli.manual
	@$(VENV)/bin/python terraform/readme.py
	@$(VENV)/bin/python -m tests.tools.map

lock: $(LOCK)/.installed ## compile the extras of pyproject.toml into pins with hashes (ARGS=--upgrade)
	$(COMPILE) --extra function --output-file requirements.txt pyproject.toml
	$(COMPILE) --extra function --extra mirrors --constraint requirements.txt \
		--output-file requirements/mirrors.txt pyproject.toml
	$(COMPILE) --extra function --extra mirrors --extra local --extra cli \
		--constraint requirements/mirrors.txt \
		--output-file requirements/local.txt pyproject.toml
	$(COMPILE) --extra function --extra mirrors --extra dynamodb --extra flask --extra gcs --extra redis \
		--extra local --extra cli --extra dev --constraint requirements/local.txt \
		--output-file requirements/tests.txt pyproject.toml
	$(COMPILE) --extra fuzz --output-file requirements/fuzz.txt pyproject.toml
	@set -e; for tool in checkov pip-audit pip-tools; do \
		set -x; $(COMPILE) --allow-unsafe --output-file requirements/$$tool.txt requirements/$$tool.in; { set +x; } 2>/dev/null; \
	done
	$(COMPILE) --constraint requirements/tests.txt --output-file requirements/libraries.txt requirements/libraries.in
	$(COMPILE) $(BLOOP_ASKS_FOR:%=--unsafe-package %) --output-file requirements/bloop.txt requirements/bloop.in
	$(COMPILE) --output-file requirements/oldest.txt requirements/oldest.in
	@rm -rf region_failover_orchestrator.egg-info

# It asks for exact versions of years ago; what it gets are those of the other libraries.
BLOOP_ASKS_FOR = blinker boto3 botocore jmespath python-dateutil s3transfer six urllib3

COMPILE = CUSTOM_COMPILE_COMMAND='make lock' $(LOCK)/bin/pip-compile --quiet --generate-hashes --strip-extras \
	--unsafe-package region-failover-orchestrator --unsafe-package setuptools \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(ARGS)

tf-lock: ## write Terraform's lock files for Linux and macOS (needs its registry)
	@set -e; for folder in terraform terraform/examples/*/; do \
		echo "+ terraform -chdir=$$folder providers lock"; \
		terraform "-chdir=$$folder" providers lock -platform=linux_amd64 -platform=linux_arm64 \
			-platform=darwin_amd64 -platform=darwin_arm64; \
	done

invoke: $(RUN)/.installed ## send one alert with curl to the function under functions-framework (ALERT=file STATE=folder)
	@PYTHON=$(RUN)/bin/python STATE='$(STATE)' sh examples/invoke.sh '$(ALERT)'

bench-cold: $(FUNCTION)/.installed ## measure how long a cold instance takes to answer (ARGS='--pairs 15')
	@$(FUNCTION)/bin/python tests/bench/cold_start.py $(ARGS)

bench-client: $(VENV)/.installed ## measure a routed get_item against boto3's own (ARGS='--calls 5000')
	@PYTHONPATH=. $(VENV)/bin/python tests/bench/client_overhead.py $(ARGS)

bench-asyncio: $(VENV)/.installed ## measure the same from asyncio.to_thread, and the delay of the event loop (ARGS='--tasks 32')
	@PYTHONPATH=. $(VENV)/bin/python tests/bench/client_asyncio.py $(ARGS)

bench-lost: $(VENV)/.installed ## measure what users notice when a region loses DynamoDB under load (ARGS='--rate 200')
	@PYTHONPATH=. $(VENV)/bin/python tests/bench/client_lost.py $(ARGS)

bench-hedged: $(VENV)/.installed ## measure what hedged reads save and cost while a region is slow at times (ARGS='--slow 0.02')
	@PYTHONPATH=. $(VENV)/bin/python tests/bench/client_hedged.py $(ARGS)

bench-readers: $(VENV)/.installed ## measure how long each reader takes for the worst known 1 MiB (ARGS='--reader alert')
	@PYTHONPATH=. $(VENV)/bin/python tests/bench/readers.py $(ARGS)

package: $(RUN)/.installed ## build the function's source archive, dist/function.zip (CONFIG=failover.yaml)
	@$(RUN)/bin/python deploy/package.py --config '$(CONFIG)'

deploy: $(RUN)/.installed ## install or update with Terraform. Refuses while traffic is being moved (DRY_RUN=1 YES=1 ARGS=...)
	@$(DEPLOY) terraform $(ARGS)

deploy-gcloud: $(RUN)/.installed ## install or update with gcloud (ARGS='--region R1 --region R2 --email E')
	@$(DEPLOY) gcloud $(ARGS)

DEPLOY = CONFIG='$(CONFIG)' DRY_RUN='$(DRY_RUN)' FORCE='$(FORCE)' YES='$(YES)' PYTHON=$(RUN)/bin/python sh deploy/deploy.sh

clean: ## remove what the other commands made
	rm -rf $(VENV) $(RUN) $(FUNCTION) $(LOCK) $(FUZZ) $(CHECKOV) $(AUDIT) $(LIBRARIES) $(OTHERS) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf build dist region_failover_orchestrator.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments: made again when their pins change, otherwise not changed ---------------------------

$(VENV)/.installed: requirements/tests.txt
	@$(make_venv)
	@$(failoverctl)
	@$(install)

$(RUN)/.installed: requirements/local.txt
	@$(make_venv)
	@$(failoverctl)
	@$(install)

$(FUNCTION)/.installed: requirements.txt
	@$(make_venv)
	@$(install)

# One package in a folder of its own, beside the tests' environment; it has wheels for some Pythons only.
$(FUZZ)/.installed: requirements/fuzz.txt | $(VENV)/.installed
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(VENV)/bin/python $(INSTALL) --only-binary :all: --target $(@D) -r $< >/dev/null 2>&1 \
		|| echo 'Atheris has no wheel for this Python: the other engines do it alone.' >&2
	@touch $@

$(LOCK)/.installed: requirements/pip-tools.txt
	@command -v $(LOCK_PYTHON) >/dev/null || { echo 'make lock needs $(LOCK_PYTHON) (LOCK_PYTHON=...).' >&2; exit 1; }
	@$(LOCK_PYTHON) -m venv --clear $(@D)
	@$(install)

# Tools with environments of their own: they bring a hundred packages, and ask for other versions of ours.
$(CHECKOV)/.installed: requirements/checkov.txt
	@$(make_venv)
	@$(install_if_there) || echo 'checkov cannot be installed here: terraform/ was not scanned for insecure settings.' >&2

$(AUDIT)/.installed: requirements/pip-audit.txt
	@$(make_venv)
	@$(install_if_there) || echo 'pip-audit cannot be installed here: no advisories were read, so nothing is known about the pins.' >&2

# The oldest boto3 lies beside the newest: PYTHONPATH puts it before.
$(LIBRARIES)/.installed: requirements/libraries.txt requirements/bloop.txt requirements/oldest.txt
	@$(make_venv)
	@$(@D)/bin/python $(INSTALL) -r $<
	@$(@D)/bin/python $(INSTALL) --target $(@D)/oldest -r requirements/oldest.txt
	@$(@D)/bin/python $(INSTALL) --no-deps -r requirements/bloop.txt
	@touch $@

define install_if_there
{ $(@D)/bin/python $(INSTALL) -r $< >$(@D)/install.log 2>&1 && touch $@; }
endef

define make_venv
python='$(PYTHON)'; \
if [ -z "$$python" ] || ! "$$python" -c '$(USABLE)' >/dev/null 2>&1; then \
	echo "Python 3.11 or newer with venv is needed$${python:+, and $$python is not}." >&2; \
	echo 'On Debian and Ubuntu: apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.12 ...' >&2; \
	exit 1; \
fi; \
echo "Making $(@D) with $$python: once, about half a minute." >&2; \
"$$python" -m venv --clear $(@D)
endef

# The command line of this checkout, in an environment in which it is not installed.
define failoverctl
printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -m orchestrator.cli "$$@"\n' '$(CURDIR)' '$(CURDIR)/$(@D)/bin/python' \
	> $(@D)/bin/failoverctl && chmod +x $(@D)/bin/failoverctl
endef

define install
$(@D)/bin/python $(INSTALL) -r $< && touch $@
endef
