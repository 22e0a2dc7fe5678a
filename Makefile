# The only documented commands. PYTHON is any Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
DEMO ?= $(CURDIR)/demo
PORT ?= 20022
FUZZ ?= 100
UI_PORT ?= 3000
export DAGSTER_REDACT_USER_CODE_ERRORS := 1

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 14

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## the virtual environment with the locked packages

demo: $(STAMP) ## eight days and a month of a synthetic prefecture, a story a day (70 seconds); ends with a page to go on from
	$(BIN)/python -m fixtures.demo --folder $(DEMO) --port $(PORT)

demo-long: $(STAMP) ## two months of it, every business day (about three minutes)
	$(BIN)/python -m fixtures.demo.long --folder $(DEMO) --port $(PORT)

union: $(STAMP) ## after the demo: the stand-in Union stays up and answers (MISBEHAVE=truncated, late, nack, ...; Ctrl-C ends it)
	$(BIN)/python -m fixtures.demo.union serve --folder $(DEMO) $(if $(MISBEHAVE),--misbehave $(MISBEHAVE))

redeliver: $(STAMP) ## the Union delivers its answer of a day again, sound (DATE=2026-10-29)
	$(BIN)/python -m fixtures.demo.union redeliver --folder $(DEMO) --date $(DATE)

next-day: $(STAMP) ## the extracts of the next business day, to be sent with renkei run daily
	$(BIN)/python -m fixtures.demo.union next-day --folder $(DEMO)

ui: $(STAMP) ## the Dagster UI on the demo's home with the daemon that works for it, http://127.0.0.1:3000, until Ctrl-C
	umask 077; RENKEI_SETTINGS=$(DEMO)/renkei.toml DAGSTER_HOME=$(DEMO)/data/dagster_home PYTHONWARNINGS=ignore \
	  exec $(BIN)/dagster dev -h 127.0.0.1 -p $(UI_PORT) -m pipelines.definitions --log-level warning

pictures: $(STAMP) ## the pictures of the documents, from a real browser
	RENKEI_PICTURES=$(CURDIR)/docs/images $(BIN)/python -m pytest -m slow tests/integration/web/test_browser.py

test-fast: $(STAMP) ## the unit tests: rules and decisions without a server (under a minute)
	$(BIN)/python -m pytest -n 2 tests/unit

test: $(STAMP) ## every test but the slow ones
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: $(STAMP) ## the slow tests: days of a real daemon, drawn histories, two months (about ten minutes)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m slow

test-long: $(STAMP) ## judgement and counts against the oracle on 10,000 random prefectures (about 15 minutes)
	RENKEI_PREFECTURES=10000 $(BIN)/python -m pytest -s tests/integration/continuity/test_oracle.py

fuzz: $(STAMP) ## random damage to files, names and Excel books, odd histories of towns, FUZZ examples of each (about half an hour)
	RENKEI_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/integration/hostile tests/end_to_end/histories

torture: $(STAMP) ## failures provoked on purpose: killed processes, broken connections, servers, disk, clock (docs/reliability.md, about an hour)
	$(BIN)/python -m fixtures.torture

canary: $(STAMP) ## the demo, then a search for personal data in all that it left: no 個人番号 anywhere, names in the clerks' folder only
	$(BIN)/python -m fixtures.demo --folder $(DEMO) --port $(PORT)
	$(BIN)/python -m fixtures.canary --folder $(DEMO)

check: $(STAMP) ## ruff, types, specifications
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/renkei spec lint

bench: $(STAMP) ## speed, as ratios in one run (docs/benchmarks.md)
	$(BIN)/python -m bench

lock: $(STAMP) ## resolve requirements.lock again (hashes, no registry address)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-strip-extras --no-header --quiet -o requirements.lock

.PHONY: help setup demo demo-long union redeliver next-day ui pictures test-fast test test-slow test-long fuzz torture canary check bench lock
