# The commands of this project; `make demo` and `make test` need nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One thread a worker: two workers with two threads each would wait for one another on two cores. A file's tests share
# what they prepare, so one worker has them all.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile
DEMO := --data-root "$${HARNESS_DATA:-.demo/data}" --runs "$${HARNESS_RUNS:-runs}"

.PHONY: help install demo test test-all check lint types quick bench clean

help:
	@echo "make demo      install, then compare four methods on the synthetic ICFG twin, report and search"
	@echo "make test      install, then linter, types and the quick tests"
	@echo "make test-all  the same and the slow tests"
	@echo "make check     linter, types and the quick tests, without looking at the installation"
	@echo "make bench     measure the claims of benchmarks/README.md"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version): set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: install
	@HARNESS_CACHE="$${HARNESS_CACHE:-.demo/cache}" $(BIN)/harness demo $(DEMO)

test: install check

# Types are checked beside the tests, which wait for servers and processes now and then.
check: lint
	@$(MAKE) --no-print-directory -j2 types quick

quick:
	$(PYTEST)

test-all: install check
	$(PYTEST) -m slow

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types:
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache
