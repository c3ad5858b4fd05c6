PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made

.PHONY: run test check bench grammar docs clean

run: $(STAMP)
	$(BIN)/symopt fit examples/nist/misra1a.sym --data examples/nist/misra1a.csv

test: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(STAMP)
	$(BIN)/ruff format --check symopt tests
	$(BIN)/ruff check symopt tests
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m pytest -q -s tests/benchmarks
	$(BIN)/python -m tests.benchmarks.gradbench --times
	$(BIN)/python -m tests.benchmarks.embedding
	$(BIN)/python -m tests.benchmarks.artifacts

# Run after a change of grammar/symopt.lark: parse tables made beforehand save a tenth of a second.
grammar: $(STAMP)
	$(BIN)/python -m symopt.syntax.tables

# Run after a change of a function's or a method's record: docs/reference is made from these.
docs: $(STAMP)
	$(BIN)/python -m tests.support.reference_page
	$(BIN)/python -m tests.support.methods_page

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find symopt tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made on first use, and again when its description changes.
$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("symopt needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
