# Two commands do everything: `make demo` and `make test`. Both set up .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PRESET ?= restore
PHOTO ?=
GPU ?=
MODELS ?=

.PHONY: help setup demo test check lint types format bench stage lock checkov clean

help:
	@echo "make demo                          restore a photograph on this machine, start to end"
	@echo "make demo PHOTO=path PRESET=name   the same with your own photograph"
	@echo "make test                          lint, types and all tests"
	@echo "make check                         lint, types and the quick tests"
	@echo "make stage                         make an archive of every function, for deployment"
	@echo "make stage GPU='denoise upscale'   the same, and these stages once more for a machine with a GPU"
	@echo "make lock                          write the hashes of the pinned packages anew, after a pin has changed"
	@echo "make stage MODELS='isnet span-x2'   the same, with networks that were installed by darkroom models get"
	@echo "make checkov                       check the infrastructure with checkov, in an environment of its own"
	@echo "make bench                         run the tests of endurance and print the speed figures"

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt requirements-build.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: setup
	$(BIN)/darkroom demo --preset $(PRESET) $(if $(PHOTO),"$(PHOTO)")

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types
	$(BIN)/pytest tests/unit tests/docs

# Two processes: the suite is made for two cores, and each process starts emulators of its own. Without reordering the
# folders with slow files come first, so that neither process waits long for the other at the end.
test: lint types
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: setup
	$(BIN)/pytest -m endurance
	$(BIN)/python -m tests.bench

stage: setup
	$(BIN)/python -m infra.staging $(if $(GPU),--gpu $(GPU)) $(if $(MODELS),--models $(MODELS))

build/lock/bin/uv: infra/requirements-lock.txt
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lock: setup build/lock/bin/uv
	$(BIN)/python -m infra.lock build/lock/bin/uv

build/checkov/bin/checkov: infra/requirements-checkov.txt
	$(PYTHON) -m venv --clear build/checkov
	build/checkov/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

checkov: build/checkov/bin/checkov
	build/checkov/bin/checkov -d infra --framework terraform --skip-download --compact --quiet

clean:
	rm -rf $(VENV) build .darkroom .mypy_cache .ruff_cache .pytest_cache
