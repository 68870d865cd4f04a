# Each target sets up .venv by itself when it is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?=
LEXEL_PEER ?=

.PHONY: demo test check bench clean

demo: .venv/ready
	$(BIN)/lexel demo --output demo $(DEMO)

test: .venv/ready
	$(BIN)/pytest

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(MAKE) test

bench: .venv/ready
	for script in benchmarks/*.py; do LEXEL_PEER=$(LEXEL_PEER) $(BIN)/python $$script || exit 1; done

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv demo dist
