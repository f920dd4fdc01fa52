# `make help` lists what can be done. Everything creates what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
BIN := .venv/bin
COMPONENTS := .venvs/components/bin/python
SERVING := .venvs/serving/bin/python
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-control test-components test-serving lint types contracts ci bench e2e images golden locks clean

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make the three environments from their locks (quick when they are up to date)
	@$(PYTHON) scripts/setup.py

demo: setup ## the main job on real data: flights in, a blessed, signed, servable model out
	@$(BIN)/python scripts/demo.py $(ARGS)

test: setup test-control test-components test-serving ## all tests

test-control: setup
	@$(BIN)/python -m pytest tests --ignore=tests/components --ignore=tests/serving --ignore=tests/e2e -n 2 --dist loadfile

test-components: setup
	@$(COMPONENTS) -m pytest tests/components

test-serving: setup
	@$(SERVING) -m pytest tests/serving

lint: setup ## ruff: errors and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy --strict on src
	@$(BIN)/mypy

contracts: setup ## the layers, held by import-linter
	@$(BIN)/lint-imports

ci: lint types contracts test ## what CI runs, without a cluster

bench: setup ## ratios against the rivals, side by side (minutes)
	@$(BIN)/python -m benchmarks

e2e: setup ## the cluster tests; need only a KUBECONFIG
	@$(BIN)/python -m pytest tests/e2e -m e2e

images: setup ## container images, by docker, podman or buildah: make images ARGS="operator serving"
	@$(BIN)/python scripts/images.py $(ARGS)

golden: setup ## write the golden files again
	@TIDEGATE_GOLDEN=write $(BIN)/python -m pytest tests -q -k golden --ignore=tests/components --ignore=tests/serving

locks: setup ## resolve the lock files again (edit src/tidegate/environments/*.in first)
	@$(BIN)/python scripts/locks.py

clean: ## remove the environments, stores and caches of this checkout
	@rm -rf .venv .venvs .tidegate .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
