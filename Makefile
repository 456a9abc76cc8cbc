# Everything runs in a private environment, .venv, made from nothing but Python ≥ 3.11 and pip.
# TORCH names one release for all who build here; any from 2.11 on serves (see pyproject.toml).
PYTHON ?= python3
TORCH ?= torch==2.13.0
PROFILE ?= quick
# Those that need nothing but the machine; the others ask for a run or for data.
BENCHMARKS ?= recurrent boxes images wavenet translation language_models reinforcement go_playouts go_search parallel pipeline_bubble
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Of workers too, which begin in a test's own folder and would leave there what they counted.
export COVERAGE_FILE := $(CURDIR)/.coverage

.PHONY: report test coverage lint bench clean

report: .venv/users
	$(BIN)/shinso report --$(PROFILE)

PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal --durations=30 --durations-min=10

test: .venv/developers
	$(PYTEST) $(TESTS)

# The same with the lines counted, which takes about half as long again.
coverage: .venv/developers
	$(PYTEST) --cov --cov-report=term:skip-covered $(TESTS)

lint: .venv/developers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: .venv/developers
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "shinso needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/users: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	touch $@

# timm asks for torchvision, whose only builds for it bring another torch; its Python part is enough.
.venv/developers: .venv/users
	$(BIN)/python -m pip install --quiet --editable '.[all,peers,dev]'
	$(BIN)/python -m pip install --quiet --no-deps 'timm>=1.0' 'torchvision>=0.26'
	touch $@

clean:
	rm -rf .venv build dist

# Match the Japanese catalogue to the source and compile it; names what waits for its translation.
.PHONY: translations
translations: .venv/developers
	$(BIN)/python -m tests.translations
