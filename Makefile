# A fresh machine needs two commands: `make demo` and `make test`.
#
# pip asks whichever package index it is configured for. On Linux the default torch wheel brings CUDA's libraries along
# (several GB); where pip is pointed at torch's CPU wheel index as an extra index, the same pin installs the small CPU build.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

COVERAGE := --cov=cardioseg --cov-report=term-missing:skip-covered --cov-fail-under=95

.PHONY: demo test docs notebook pictures clean

demo: .venv/.runs
	$(BIN)/cardioseg demo --overwrite

test: .venv/.tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/xenon --max-absolute B cardioseg
	$(MAKE) docs
	$(BIN)/python -m pytest -n 2 $(COVERAGE)

docs: .venv/.tests
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet  # into .venv/site

notebook: .venv/.tests
	$(BIN)/python docs/hooks/notebooks.py  # runs docs/tutorial.ipynb and stores its outputs

pictures: .venv/.tests
	$(BIN)/python docs/hooks/pictures.py  # into docs/images; needs Chromium

clean:
	rm -rf .venv .coverage* build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info

# Stamps: an environment is made once and again when what it should hold changes. The install is editable, so a change of
# code needs none; tests/test_package.py builds the wheel and runs that one outside the checkout.
.venv/.runs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable .
	touch $@

.venv/.tests: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable '.[test]'
	touch $@ .venv/.runs

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("cardioseg needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
