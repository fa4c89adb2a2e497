# The commands for developers and CI; `make help` lists them. Requires python3 (3.11 or newer, with venv), git and make.

PYTHON ?= python3
TESTS ?= tests
ARGS ?=
JOBS ?= 1
PYTHONS ?= 3.11 3.12 3.13 3.14
SIZES ?= 10000 100000
# NetBox 4.6 needs Python 3.12 or newer.
NETBOX_PYTHON ?= python3.12
UPGRADE ?=

ROOT := $(realpath $(dir $(lastword $(MAKEFILE_LIST))))
ifneq ($(realpath $(CURDIR)),$(ROOT))
# Called with `make -f` from another folder: change to the checkout first.
%: ; @$(MAKE) --no-print-directory -C "$(ROOT)" $@
.DEFAULT_GOAL := help
help: ; @$(MAKE) --no-print-directory -C "$(ROOT)" $@
.PHONY: help
else

BIN := .venv/bin
UV := $(BIN)/uv
# The lines of one package in a lock file, with its hashes.
section = awk -v name=$(1) '/^[a-z]/ { keep = index($$0, name "==") == 1 } keep' $(2)

PARALLEL = $(if $(filter-out 1,$(JOBS)),--numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder)

# Without bytecode files, a Prefect run starts four seconds later.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV
export UV_PYTHON_DOWNLOADS := never
# Use the system's certificates, as pip does: a proxy may have its own.
export UV_SYSTEM_CERTS := true

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast test-interpreters coverage check docs lint format types lock lock-check diffsync nautobot netbox bench bench-setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

setup: .venv/.ready ## create .venv with the locked packages and this project

demo: .venv/.ready ## run the worked example (KEEP=1 keeps it running, REDIS_URL selects your own server)
	$(BIN)/python -m airports.demo

test: .venv/.ready .venv-diffsync/.ready ## run the tests (TESTS=path, ARGS="-k word", JOBS=2 for two processes)
	$(BIN)/python -m pytest $(PARALLEL) $(TESTS) $(ARGS)

test-fast: JOBS = 2
test-fast: .venv/.ready .venv-diffsync/.ready ## run the fast tests, which start no server except the embedded Valkey
	$(BIN)/python -m pytest --fast $(PARALLEL) $(TESTS) $(ARGS)

test-interpreters: JOBS = 2
test-interpreters: .venv/.ready .venv-diffsync/.ready ## run the fast tests on each installed version of PYTHONS="3.11 3.12 ..."
	$(BIN)/python -m tools.interpreters $(PYTHONS) -- $(PARALLEL) $(TESTS) $(ARGS)

coverage: JOBS = 2
coverage: .venv/.ready .venv-diffsync/.ready ## run the fast tests and show the lines that they do not reach (TESTS=path)
	$(BIN)/python -m pytest --fast $(PARALLEL) --cov --cov-report=term:skip-covered --cov-report=html $(TESTS) $(ARGS)

check: lint types lock-check docs ## run lint, types, lock-check and docs

docs: .venv/.ready ## build the documentation into build/site; fail on warnings
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir build/site

lint: .venv/.ready ## check the code with ruff, and the Dockerfile with hadolint if it is installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@[ ! -x $(BIN)/hadolint ] || $(BIN)/hadolint docker/Dockerfile

format: .venv/.ready ## fix and format the code with ruff
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: .venv/.ready ## check the types with mypy
	$(BIN)/mypy

lock: $(UV) ## write the lock files (UPGRADE=1 upgrades the packages)
	$(BIN)/python -m tools.lock write $(if $(UPGRADE),--upgrade)

lock-check: .venv/.ready ## check, without network, that the lock files match pyproject.toml
	$(BIN)/python -m tools.lock check

diffsync: .venv-diffsync/.ready ## install diffsync for the compatibility tests

nautobot: .venv-nautobot/.ready ## install Nautobot for the tests of its adapter

netbox: .venv-netbox/.ready ## install what NetBox needs for the tests of its adapter (NETBOX_SOURCE=FOLDER, with a checkout of it)

bench: .venv/.ready .venv-bench/.ready ## run the benchmarks, with diffsync for comparison (SIZES="10000 100000", ARGS="--parts limit")
	$(BIN)/python -m benchmarks $(SIZES) $(ARGS)

bench-setup: .venv-bench/.ready ## install diffsync with its own redis client for the benchmarks

clean: ## remove the environments, build output and caches
	rm -rf .venv .venv-diffsync .venv-nautobot .venv-netbox .venv-bench build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
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

# A folder for sys.path, not an environment: diffsync's redis extra and Prefect need conflicting versions.
.venv-diffsync/.ready: benchmarks/diffsync.lock tests/written_for_diffsync/requirements.txt | .venv/.ready
	rm -rf .venv-diffsync && mkdir .venv-diffsync
	$(call section,diffsync,benchmarks/diffsync.lock) > .venv-diffsync/diffsync.txt
	$(UV) pip install --python $(BIN)/python --target .venv-diffsync --no-deps --require-hashes --compile-bytecode --requirement .venv-diffsync/diffsync.txt --requirement tests/written_for_diffsync/requirements.txt
	touch $@

.venv-nautobot/.ready: tests/targets/nautobot.lock | .venv/.ready
	$(PYTHON) -m venv --clear --without-pip .venv-nautobot
	$(UV) pip sync --python .venv-nautobot/bin/python --require-hashes --compile-bytecode tests/targets/nautobot.lock
	touch $@

# NetBox is in no registry; its own list says what it needs.
.venv-netbox/.ready: | .venv/.ready
	@test -f "$(NETBOX_SOURCE)/requirements.txt" || { echo 'Set NETBOX_SOURCE to a folder with the source of NetBox: git clone https://github.com/netbox-community/netbox'; exit 1; }
	$(UV) venv --quiet --clear --python $(NETBOX_PYTHON) .venv-netbox
	sed -e '/^mkdocs/d; /^zensical/d; s/^psycopg\[c,pool\]/psycopg[binary,pool]/' "$(NETBOX_SOURCE)/requirements.txt" > .venv-netbox/requirements.txt
	$(UV) pip install --quiet --python .venv-netbox/bin/python --compile-bytecode --requirement .venv-netbox/requirements.txt
	touch $@

.venv-bench/.ready: benchmarks/diffsync.lock | .venv/.ready
	$(PYTHON) -m venv --clear .venv-bench
	$(UV) pip sync --python .venv-bench/bin/python --require-hashes --compile-bytecode benchmarks/diffsync.lock
	touch $@

endif
