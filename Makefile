# One entry point for people and CI; `make help` lists the targets. Needs python3 (3.11 or newer, with venv), git, make.

PYTHON ?= python3
TESTS ?= tests
ARGS ?=
JOBS ?= 1
PYTHONS ?= 3.11 3.12 3.13 3.14
SIZES ?= 10000 100000
UPGRADE ?=

ROOT := $(realpath $(dir $(lastword $(MAKEFILE_LIST))))
ifneq ($(realpath $(CURDIR)),$(ROOT))
# Called from elsewhere as `make -f`: go there first.
%: ; @$(MAKE) --no-print-directory -C "$(ROOT)" $@
.DEFAULT_GOAL := help
help: ; @$(MAKE) --no-print-directory -C "$(ROOT)" $@
.PHONY: help
else

BIN := .venv/bin
UV := $(BIN)/uv
# One package's lines of a lock file, hashes included.
section = awk -v name=$(1) '/^[a-z]/ { keep = index($$0, name "==") == 1 } keep' $(2)

PARALLEL = $(if $(filter-out 1,$(JOBS)),--numprocesses $(JOBS) --dist loadscope)

# Start-up time is mostly import time: without bytecode files a Prefect run starts four seconds later.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV
export UV_PYTHON_DOWNLOADS := never
# As pip does: who is behind a proxy that has certificates of its own has them in the system.
export UV_SYSTEM_CERTS := true

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast test-interpreters coverage check docs lint format types lock lock-check diffsync bench bench-setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

setup: .venv/.ready ## make .venv with everything locked, and this project in it

demo: .venv/.ready ## run the worked example (KEEP=1 keeps it running, REDIS_URL names your own server)
	$(BIN)/python -m airports.demo

test: .venv/.ready .venv-diffsync/.ready ## run the tests (TESTS=path, ARGS="-k word", JOBS=2 side by side)
	$(BIN)/python -m pytest $(PARALLEL) $(TESTS) $(ARGS)

test-fast: JOBS = 2
test-fast: .venv/.ready .venv-diffsync/.ready ## run the tests that are quick and need no server but the embedded one
	$(BIN)/python -m pytest --fast $(PARALLEL) $(TESTS) $(ARGS)

test-interpreters: JOBS = 2
test-interpreters: .venv/.ready .venv-diffsync/.ready ## run the fast tests on each of PYTHONS="3.11 3.12 ..." that is here
	$(BIN)/python -m tools.interpreters $(PYTHONS) -- $(PARALLEL) $(TESTS) $(ARGS)

coverage: JOBS = 2
coverage: .venv/.ready .venv-diffsync/.ready ## run the fast tests and show which lines none of them reaches (TESTS=path)
	$(BIN)/python -m pytest --fast $(PARALLEL) --cov --cov-report=term:skip-covered --cov-report=html $(TESTS) $(ARGS)

check: lint types lock-check docs ## everything that is read and not run

docs: .venv/.ready ## build the documentation into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir build/site

lint: .venv/.ready ## ruff's rules and format, hadolint's rules (where there is one for the machine)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@[ ! -x $(BIN)/hadolint ] || $(BIN)/hadolint docker/Dockerfile

format: .venv/.ready ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: .venv/.ready ## mypy
	$(BIN)/mypy

lock: $(UV) ## renew the locks (UPGRADE=1 takes new releases too)
	$(BIN)/python -m tools.lock write $(if $(UPGRADE),--upgrade)

lock-check: .venv/.ready ## is the lock made from this pyproject.toml? Asks no network
	$(BIN)/python -m tools.lock check

diffsync: .venv-diffsync/.ready ## diffsync itself, for the compatibility tests

bench: .venv/.ready .venv-bench/.ready ## measure beside diffsync and the goals (SIZES="10000 100000", ARGS="--parts limit")
	$(BIN)/python -m benchmarks $(SIZES) $(ARGS)

bench-setup: .venv-bench/.ready ## diffsync with its own redis client, for the benchmark

clean: ## remove all that was made here
	rm -rf .venv .venv-diffsync .venv-bench build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python has no venv module: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(call section,uv,requirements.lock) > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt

.venv/.ready: requirements.lock pyproject.toml | $(UV)
	$(UV) pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# A folder to put on a path, not an environment: diffsync's redis extra and Prefect exclude each other.
.venv-diffsync/.ready: benchmarks/diffsync.lock | .venv/.ready
	rm -rf .venv-diffsync && mkdir .venv-diffsync
	$(call section,diffsync,benchmarks/diffsync.lock) > .venv-diffsync/diffsync.txt
	$(UV) pip install --python $(BIN)/python --target .venv-diffsync --no-deps --require-hashes --compile-bytecode --requirement .venv-diffsync/diffsync.txt
	touch $@

.venv-bench/.ready: benchmarks/diffsync.lock | .venv/.ready
	$(PYTHON) -m venv --clear .venv-bench
	$(UV) pip sync --python .venv-bench/bin/python --require-hashes --compile-bytecode benchmarks/diffsync.lock
	touch $@

endif
