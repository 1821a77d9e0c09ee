# Every task a person does here. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: help setup servers demo start stop status reset test test-compose bench rooms reference lint types check format lock clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1|/' | \
	  while IFS='|' read -r task text; do printf '  make %-14s %s\n' "$$task" "$$text"; done

setup: $(STAMP) servers ## Python packages into .venv, and the server packages from Debian if they are missing

$(STAMP): requirements/dev.txt local/find_python.sh
	@python=$$(sh local/find_python.sh); \
	  "$$python" -m venv $(VENV) || { echo "Python cannot make virtual environments: install the Debian package 'python3-venv'" >&2; exit 1; }
	@echo "Installing Python packages into $(VENV) (about a minute, once) …"
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

servers:
	@sh local/install_servers.sh

demo: setup ## start the system, play an inquiry from CRM to Medical and back, stop it (KEEP=1 leaves it running)
	@$(PYTHON) -m local.demo

start: setup ## start the system in the background (CRMS=2: with two Vault CRMs); addresses in .run/endpoints.json
	@$(PYTHON) -m local start

stop: $(STAMP) ## stop the system; its data stays
	@$(PYTHON) -m local stop

status: $(STAMP) ## show what runs and where
	@$(PYTHON) -m local status

reset: $(STAMP) ## stop the system and remove its data
	@$(PYTHON) -m local reset

test: $(STAMP) ## all tests, on real servers: by address, by Docker, or private ones (see CONTRIBUTING.md)
	@[ -n "$${TEST_POSTGRES_DSN:-}" ] || docker info >/dev/null 2>&1 || sh local/install_servers.sh
	@$(PYTHON) -m pytest $(ARGS)

test-compose: $(STAMP) ## build the image, bring the compose file up, play the story against it, take it down
	@$(PYTHON) -m local.compose_test

bench: setup ## measure throughput and delay, and write a table and JSON
	@$(PYTHON) -m bench $(ARGS)

rooms: setup ## count the source files that a transfer, a query and a retry enter (ARGS="--list": name them)
	@$(PYTHON) -m bench.rooms $(ARGS)

reference: $(STAMP) ## write docs/api-reference.md from the code
	@$(PYTHON) -m local.api_reference

lint: $(STAMP) ## style and import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports

types: $(STAMP) ## static types
	@$(VENV)/bin/mypy

check: lint types test ## lint, types and tests

format: $(STAMP) ## format the code and apply safe fixes
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

lock: ## renew the locked requirements from pyproject.toml
	@test -x $(VENV)/bin/uv || $(MAKE) --no-print-directory setup
	@for extra in base dev; do \
	  if [ $$extra = base ]; then options=""; else options="--extra $$extra -c requirements/base.txt"; fi; \
	  $(VENV)/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	    --no-annotate --no-header --no-emit-index-url --no-emit-find-links $$options \
	    pyproject.toml -o requirements/$$extra.txt; \
	done

clean: ## stop the system and remove everything that was made here
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m local reset; fi
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
