# `make help` lists everything. CI calls the same targets as a person does.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
WHEELHOUSE := .wheelhouse
SERVERS := .servers

# Where it is set, each of the hundreds of processes that tests start compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup servers demo test lint check bench evidence lock format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed $(WHEELHOUSE)/.filled ## Make the virtual environment and the wheelhouse, inside this folder

$(VENV)/.installed: pyproject.toml requirements-dev.txt constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade "pip>=24"
	$(PIP) install -c constraints.txt -r requirements-dev.txt -e ".[benchmark,torch,onnx,http,grpc]"
	$(PIP) install -c constraints.txt --no-deps silero-vad
	touch $@

# The packaging tests and the benchmark of an unused plugin install from here, without a network.
$(WHEELHOUSE)/.filled: pyproject.toml constraints.txt | $(VENV)/.installed
	rm -rf $(WHEELHOUSE)
	$(PIP) wheel -c constraints.txt --wheel-dir $(WHEELHOUSE) hatchling ".[benchmark,ci]"
	rm -f $(WHEELHOUSE)/pytest_costguard-*.whl
	touch $@

servers: $(SERVERS)/mlserver/.installed $(SERVERS)/kserve/.installed ## Make an environment for each model server that tests start

# Every package is named with its version, so that nothing has to be looked for.
$(SERVERS)/%/.installed: tests/integration/servers/%.txt | $(VENV)/.installed
	$(PYTHON) -m venv --clear --without-pip $(SERVERS)/$*
	$(PIP) --python $(SERVERS)/$* install --no-deps --no-compile -r $<
	touch $@

demo: $(VENV)/.installed ## Measure real models, make them worse, and see the gate fail (under 4 minutes)
	$(BIN)/python example_repo/demo.py

test: setup servers ## Run all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed ## Format, lint, types, layer contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## What CI runs: lint and test

bench: $(VENV)/.installed ## Measure this tool itself beside its peers; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks.run

evidence: $(VENV)/.installed ## Write docs/benchmarks-verdicts.md from the recorded units
	$(BIN)/python -m benchmarks.verdicts page

lock: $(VENV)/.installed ## Write action/locked.txt anew: what the action's jobs with rights install
	$(PIP) install uv
	echo hatchling | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --custom-compile-command "make lock" --constraints constraints.txt --extra ci \
	  --output-file action/locked.txt pyproject.toml -

format: $(VENV)/.installed ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove everything that was made here
	rm -rf $(VENV) $(WHEELHOUSE) $(SERVERS) .demo dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
