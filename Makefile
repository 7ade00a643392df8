# Every target makes its own .venv first; nothing but Python 3.11 or newer is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check format bench clean

demo: $(READY)  ## train on the embedded data, predict, score, and say where report.html is
	rm -rf demo
	$(BIN)/seglet demo -o demo

test: $(READY)  ## all tests; those on real images are skipped where SEGLET_DATA does not lead to any
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

check: $(READY)  ## style, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)  ## the accuracy runs of benchmarks/RESULTS.md; about 80 minutes on two cores
	$(BIN)/python benchmarks/accuracy.py

clean:
	rm -rf $(VENV) demo

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
