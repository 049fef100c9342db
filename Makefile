# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: install upgrade demo test check bench clean

install: .venv/.installed

# The versions in constraints.txt, so that a tool's newer release changes no check and no help text unasked.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade pip
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	touch $@

# The newest versions that pyproject.toml allows, written down for `make install`.
upgrade:
	$(PYTHON) -m venv --clear .venv
	$(PIP) --upgrade pip
	$(PIP) --editable '.[dev]'
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt
	touch .venv/.installed

demo: install
	$(BIN)/planner demo

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
