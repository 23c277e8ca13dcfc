# Everything a fresh machine with Python (3.11 to 3.13) and make needs. Each target sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint types imports worker-venv bench clean help

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

bench: $(BIN)/.dev
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .venv-3.13 .xyra .pytest_cache .mypy_cache .ruff_cache .hypothesis
