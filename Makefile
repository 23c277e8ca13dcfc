# Everything a fresh machine with Python (3.11 to 3.13) and make needs. Each target sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint worker laws kill bench clean help

help:
	@echo "make run     serve on port 7071 with demo data"
	@echo "make test    run the tests"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   measure, as ratios within one run"

$(BIN)/.local: requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt ".[local]"
	@touch $@

$(BIN)/.dev: $(BIN)/.local
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ".[local,dev]"
	@touch $@

run: $(BIN)/.local
	@exec $(BIN)/python -m local

test: $(BIN)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict shared
	$(BIN)/lint-imports

# The platform's own worker needs Python 3.13; where none works, `make worker` says so and tests nothing.
worker: $(BIN)/.dev
	@python313=$$(tools/find_python313) || { echo "no working Python 3.13: the worker tests are skipped"; exit 0; }; \
	test -e .venv-3.13/.dev || { "$$python313" -m venv .venv-3.13 && \
	.venv-3.13/bin/python -m pip install --quiet --disable-pip-version-check ".[local,dev]" && touch .venv-3.13/.dev; }; \
	XYRA_WORKER_PYTHON=.venv-3.13/bin/python $(BIN)/python -m pytest tests/worker

laws: $(BIN)/.dev
	XYRA_LAW_HISTORIES=1000 $(BIN)/python -m pytest tests/unit/test_billing_laws.py

kill: $(BIN)/.dev
	XYRA_KILL_EVENTS=50000 $(BIN)/python -m pytest tests/e2e/test_exactly_once.py

bench: $(BIN)/.dev
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .venv-3.13 .xyra .pytest_cache .mypy_cache .ruff_cache .hypothesis
