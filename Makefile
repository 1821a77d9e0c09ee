# Every task a person does here. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Each process would compile all modules anew: those of tests have their assertions rewritten as well.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup servers demo start stop status reset test test-compose bench bench-quick rooms screenshots reference lint types audit check format lock check-lock hooks release clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1|/' | \
	  while IFS='|' read -r task text; do printf '  make %-14s %s\n' "$$task" "$$text"; done

setup: $(STAMP) servers ## Python packages into .venv, and the server packages from Debian if they are missing

$(STAMP): requirements/dev.txt local/find_python.sh local/packages.py
	@python=$$(sh local/find_python.sh); \
	  "$$python" -m venv $(VENV) || { echo "Python cannot make virtual environments: install the Debian package 'python3-venv'" >&2; exit 1; }
	@echo "Installing Python packages into $(VENV) …"
	@$(PYTHON) local/packages.py install
	@touch $@

servers:
	@sh local/install_packages.sh servers

demo: setup ## start the system, play an inquiry from CRM to Medical and back, stop it (KEEP=1 leaves it running)
	@$(PYTHON) -m local.story.demo

start: setup ## start the system in the background (CRMS=2: with two Vault CRMs; DOMAIN_TYPE=sandbox); addresses in .run/endpoints.json
	@$(PYTHON) -m local start

stop: $(STAMP) ## stop the system; its data stays
	@$(PYTHON) -m local stop

status: $(STAMP) ## show what runs and where
	@$(PYTHON) -m local status

reset: $(STAMP) ## stop the system and remove its data
	@$(PYTHON) -m local reset

# All tests run side by side on all cores; with arguments it is one process, which starts sooner, unless they say otherwise (-n 2).
WORKERS = $(if $(ARGS),0,auto --maxprocesses 8)

test: $(STAMP) ## all tests, on real servers: by address, by Docker, or private ones (COVERAGE=1: with coverage and its floors)
	@[ -n "$${TEST_POSTGRES_DSN:-}" ] || docker info >/dev/null 2>&1 || sh local/install_packages.sh servers
	@sh local/install_packages.sh browser
	@$(PYTHON) -m $(if $(COVERAGE),local.coverage_floors,pytest -n $(WORKERS) $(ARGS))

test-compose: $(STAMP) ## build the image, bring the compose file up, play the story against it, take it down
	@$(PYTHON) -m local.compose_test

bench: setup ## measure throughput and delay, and write a table and JSON
	@$(PYTHON) -m bench $(ARGS)

bench-quick: setup ## measure ratios in under three minutes (ARGS="--before FILE": say what has moved since)
	@$(PYTHON) -m bench.quick $(ARGS)

rooms: setup ## count the source files that a transfer, a query and a retry enter (ARGS="--list": name them)
	@$(PYTHON) -m bench.rooms $(ARGS)

screenshots: setup ## take the pictures of docs/images (ARGS=folder: of every page, wide and narrow, light and dark)
	@sh local/install_packages.sh browser
	@$(PYTHON) -m local.story.screenshots $(ARGS)

reference: $(STAMP) ## write docs/api-reference.md and docs/compatibility.md from the code
	@$(PYTHON) -m local.api_reference
	@$(PYTHON) -m local.compatibility

lint: $(STAMP) ## style and import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports

types: $(STAMP) ## static types
	@$(VENV)/bin/mypy

audit: $(STAMP) ## known weaknesses: bandit over the code, pip-audit over the locked packages
	@$(PYTHON) -m local.audit

check: lint types test ## lint, types and tests

format: $(STAMP) ## format the code and apply safe fixes
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

lock: $(STAMP) ## renew the locked requirements from pyproject.toml
	@$(PYTHON) local/packages.py renew

check-lock: $(STAMP)
	@$(PYTHON) local/packages.py check

hooks: $(STAMP) ## install the hooks that check each commit
	@$(VENV)/bin/pre-commit install

release: $(STAMP) ## check that the newest version of the changelog can be released, and tag it
	@$(PYTHON) -m local.release check
	@$(MAKE) --no-print-directory check
	@$(PYTHON) -m local.release tag

clean: ## stop the system and remove everything that was made here
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m local reset; fi
	@rm -rf $(VENV) .coverage-data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
