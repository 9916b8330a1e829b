# The commands of this project; `make demo` and `make test` need nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
DOCUMENTED := $(VENV)/.documented
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# One thread a worker: two workers with two threads each would wait for one another on two cores. A file's tests share
# what they prepare, so one worker has them all.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile
DEMO := --data-root "$${HARNESS_DATA:-.demo/data}" --runs "$${HARNESS_RUNS:-runs}"

.PHONY: help install develop demo test test-all test-peft check lint types quick whole docs pictures bench clean

help:
	@echo "make demo      install, then compare four methods on the synthetic ICFG twin, report and search"
	@echo "make install   what the harness needs at run time, into $(VENV)"
	@echo "make develop   that and the tools of a developer: linter, types and tests"
	@echo "make test      develop, then linter, types and the quick tests"
	@echo "make test-all  the same with the slow tests"
	@echo "make test-peft the tests of PEFT's adapters; installs PEFT and Transformers into $(VENV)"
	@echo "make check     linter, types and the quick tests, without looking at the installation"
	@echo "make docs      develop, then build the documentation into site/"
	@echo "make pictures  make the pictures and the recording of README and documentation again"
	@echo "make bench     measure the claims of benchmarks/README.md"

install: $(INSTALLED)

develop: $(DEVELOPED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version): set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing PyTorch, MLflow and what else the harness needs at run time into $(VENV), once."
	@echo "pip downloads it and shows how far it is. On Linux it takes 6.5 GB of disk, of which 4 GB are PyTorch's CUDA."
	$(PIP) -e .
	@touch $@

$(DEVELOPED): pyproject.toml | $(BIN)/python
	$(PIP) --quiet -e '.[dev]'
	@touch $(INSTALLED) $@

$(DOCUMENTED): $(DEVELOPED)
	$(PIP) --quiet -e '.[docs]'
	@touch $@

docs: $(DOCUMENTED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "site/index.html is the first page; for the search: $(BIN)/python -m http.server --directory site --bind 127.0.0.1"

pictures: install
	$(BIN)/python -m docs.generate.pictures
	$(BIN)/python -m docs.generate.recording

demo: install
	@HARNESS_CACHE="$${HARNESS_CACHE:-.demo/cache}" $(BIN)/harness demo $(DEMO)

test: develop check

# Types are checked beside the tests, which wait for servers and processes now and then.
check: lint
	@$(MAKE) --no-print-directory -j2 types quick

quick:
	$(PYTEST)

# One run for all, which collects once; what takes long comes first, so that no worker is left with it at the end.
test-all: develop lint
	@$(MAKE) --no-print-directory -j2 types whole

whole:
	$(PYTEST) -m "slow or not slow" --no-loadscope-reorder

# Last of all and apart: with Transformers, which PEFT brings, every start of open_clip takes longer.
test-peft: develop
	$(PIP) --quiet -e '.[peft]'
	$(PYTEST) --dist load -m "slow or not slow" tests/methods/test_peft.py

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types:
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .demo site build *.egg-info .mypy_cache .ruff_cache .pytest_cache
