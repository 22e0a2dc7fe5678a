# The only documented commands. PYTHON is any Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

setup: $(STAMP) ## virtual environment with the locked packages

lock: ## resolve requirements.lock again (hashes, no registry address)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-strip-extras --no-header --quiet -o requirements.lock

.PHONY: help setup lock
