# Every target makes its own virtual environment and installs what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# MACE and NequIP need different versions of e3nn, so MACE is tested in an environment of its own.
MACE_VENV ?= .venv-mace
MACE_BIN  := $(MACE_VENV)/bin
MACE_PIP  := $(MACE_BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-mace.txt

# The tests of MACE; those of the reference and the public paths see each what can be imported.
MACE_TESTS := ltau/adapters/mace tests/adapters/mace tests/adapters/forces tests/test_api_docs.py

# Latents of other frameworks; SevenNet is tested by `make test` too.
FRAMEWORKS_VENV ?= .venv-frameworks
FRAMEWORKS_BIN  := $(FRAMEWORKS_VENV)/bin
FRAMEWORKS      := chgnet matgl sevennet

# Processes that share the tests between them; 0 runs them all in one.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help dev demo test test-browser test-frameworks lowest wheel lint docs bench clean

help:
	@echo "make dev    install what the others need, at once (make -j2 dev)"
	@echo "make demo   train a network, fit LTAU, print a table, draw the pictures"
	@echo "make test   run the tests"
	@echo "make test-browser   open the documentation and the page of ltau report in Chromium, which has to be installed"
	@echo "make test-frameworks   run the tests of CHGNet, MatGL and SevenNet"
	@echo "make lowest run the core's tests with the lowest versions of what it needs"
	@echo "make wheel  build the distributions, and run the demo from the wheel in an empty folder"
	@echo "make lint   check style, types and dependencies"
	@echo "make docs   build the documentation into docs/_build/html"
	@echo "make bench  measure the speed, and compare with other methods (quick)"
	@echo "make clean  remove the virtual environments and everything built"

# One stamp an extra: $(VENV)/.demo says that ltau[demo] is installed.
$(VENV)/.%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[$*]'
	touch $@

$(MACE_VENV)/.test-mace: pyproject.toml constraints-mace.txt
	test -x $(MACE_BIN)/python || $(PYTHON) -m venv $(MACE_VENV)
	$(MACE_PIP) -e '.[test-mace]'
	touch $@

$(FRAMEWORKS_VENV)/.test-frameworks: pyproject.toml constraints.txt
	test -x $(FRAMEWORKS_BIN)/python || $(PYTHON) -m venv $(FRAMEWORKS_VENV)
	$(FRAMEWORKS_BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test-frameworks]'
	touch $@

# One call of pip for what every target asks for by itself.
dev: $(VENV)/.dev $(MACE_VENV)/.test-mace
	touch $(foreach extra,bench demo docs lint test,$(VENV)/.$(extra))

demo: $(VENV)/.demo
	$(BIN)/ltau demo

test: $(VENV)/.demo $(VENV)/.test $(VENV)/.bench $(MACE_VENV)/.test-mace
	$(MACE_BIN)/python -m pytest -n $(WORKERS) $(MACE_TESTS)
	$(BIN)/python -m pytest -n $(WORKERS)

test-frameworks: $(FRAMEWORKS_VENV)/.test-frameworks
	$(FRAMEWORKS_BIN)/python -m pytest $(FRAMEWORKS:%=ltau/adapters/%.py) $(FRAMEWORKS:%=tests/adapters/test_%.py) tests/test_docs.py

test-browser: $(VENV)/.test-browser docs
	$(BIN)/python -m pytest tests/plotting/structures/test_browser.py tests/test_docs_browser.py

CORE_TESTS := tests/errors tests/estimator tests/fitted tests/metrics tests/neighbors

lowest:
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet -c lowest.txt -e '.[test-core]'
	.venv-lowest/bin/python -m pytest -W ignore::pytest.PytestRemovedIn10Warning $(CORE_TESTS)

wheel:
	rm -rf dist
	$(PYTHON) -m venv --clear .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet build twine
	.venv-wheel/bin/python -m build --outdir dist .
	.venv-wheel/bin/python -m twine check --strict dist/*
	$(PYTHON) -m venv --clear .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet -c constraints.txt "$$(ls $(CURDIR)/dist/*.whl)[demo]"
	demo=$$(mktemp -d) && cd "$$demo" && $(CURDIR)/.venv-wheel/bin/ltau demo

lint: $(VENV)/.lint $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_dependencies.py

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.test $(VENV)/.bench
	$(BIN)/python -m pytest benchmarks --benchmark-columns=min,median,rounds -q -s
	$(BIN)/python -m benchmarks.speed.scaling --quick
	$(BIN)/python -m benchmarks.speed.peers --quick
	$(BIN)/python -m benchmarks.regression --quick
	$(BIN)/python -m benchmarks.ood --quick
	$(BIN)/python -m benchmarks.is2rs --quick

clean:
	rm -rf $(VENV) $(MACE_VENV) $(FRAMEWORKS_VENV) .venv-lowest .venv-wheel dist docs/_build docs/api/generated docs/examples .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
