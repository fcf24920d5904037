# What a person does often. `make` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
PYTHON ?= python3.11
STAMP := $(VENV)/.set-up
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

# Stage commands say `python`: it is the environment's. Nothing here reports to anybody.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup init repro test lint format publish ui lock clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*##\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(STAMP)  ## make the virtual environment from the lock (the others do it when needed)

$(STAMP): requirements.lock pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet $(TORCH)
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

init: $(STAMP)
	@PYTHONPATH=src python -m ctrnn.tracking init

repro: init  ## run the pipeline: what a change affects, and nothing else
	dvc repro
	@echo
	@echo "The report is reports/index.html; it opens in any browser, offline."
	@echo "To compare runs: make ui"

test: $(STAMP)  ## run the tests; ARGS="-k name" picks some
	python -m pytest $(ARGS)

lint: $(STAMP)  ## check style and types
	ruff check .
	ruff format --check .
	mypy

format: $(STAMP)  ## put the code into its style
	ruff check --fix .
	ruff format .

publish: init  ## put the committed results into the tracking store, without running a stage again
	dvc repro --single-item --force publish

ui: init  ## open the runs in MLflow, on this machine only
	mlflow ui --host 127.0.0.1 --backend-store-uri "$$(PYTHONPATH=src python -m ctrnn.tracking uri)"

lock: $(STAMP)  ## solve the dependencies anew into requirements.lock
	python -m piptools compile --quiet --strip-extras --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra dev \
	  --unsafe-package torch --unsafe-package triton --output-file requirements.lock pyproject.toml

clean:  ## remove results, environment and tracking store; the DVC cache stays
	rm -rf artifacts reports/figures reports/index.html $(VENV) mlflow.db mlartifacts
