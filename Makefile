# Every target makes the environment first; with nothing changed that takes no time.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-pyproject-and-constraints

.PHONY: help setup demo test chaos lint format bench clean

help:
	@echo "make demo    render videos with known events, train on them, score, track and show the result"
	@echo "make test    run all tests"
	@echo "make chaos   kill a training's processes at twenty moments, and compare its results"
	@echo "make lint    check style, formatting and types"
	@echo "make format  put formatting and import order right"
	@echo "make bench   measure speed and memory"
	@echo "make setup   make $(VENV) and install everything there (the others do this by themselves)"
	@echo "make clean   remove $(VENV), caches and the demo's output"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 10) <= sys.version_info < (3, 14), f"Python 3.10 to 3.13 needed, this is {sys.version.split()[0]}: run make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/streamer demo

test: setup
	$(BIN)/python -m pytest

chaos: setup
	$(BIN)/python -m tests.pipelines.chaos --kills 20

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis runs/demo
	find streamer pipelines tests benchmarks -name __pycache__ -type d -exec rm -rf {} +
