# What a person does often. `make` lists it. Paths stay relative, so that a clone's own path may hold a space.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
PYTHON ?= $(shell command -v python3.11 || echo python3)
PORT := 5000
STAMP := $(VENV)/.set-up
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

# Stage commands say `python`: it is the environment's. Nothing here reports to anybody.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup init repro alone test lint format publish ui bench results docs docs-pictures verify relock lock clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## make the virtual environment from the lock (the others do it when needed)

# Every package by its hash. Only of torch a machine may be configured to offer pip a build of its own, which has a label
# in its version (2.13.0+cpu) and which pip prefers: no lock knows its hash, so it is taken by version, with what it needs.
$(STAMP): requirements.lock requirements-torch.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"PYTHON = $(PYTHON) is {sys.version.split()[0]}; ctrnn needs 3.11 or newer: make PYTHON=python3.11")'
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	if $(VENV)/bin/python -m pip index versions torch 2> /dev/null | grep --quiet --fixed-strings '$(subst torch==,,$(TORCH))+'; \
	  then $(VENV)/bin/python -m pip install --quiet $(TORCH); \
	  else $(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-torch.lock; fi
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

init: $(STAMP)
	@PYTHONPATH=src python -m ctrnn.repair $(ALONE)
	@PYTHONPATH=src python -m ctrnn.tracking init

relock: ALONE := --alone
AGAIN := $(MAKE)
repro: $(STAMP)  ## run the pipeline: what a change affects, and nothing else
	@PYTHONPATH=src python -m ctrnn.repair --alone $(AGAIN) --no-print-directory alone

alone:  # what repro does while it keeps others out
	@PYTHONPATH=src python -m ctrnn.tracking init
	dvc repro
	@echo
	@PYTHONPATH=src python -m ctrnn.tracking publish  # a stage that the lock calls unchanged may be new to this store
	@echo
	@echo "The report is reports/index.html; it opens in any browser, offline."
	@echo "To compare runs: make ui"

test: $(STAMP)  ## run the tests; ARGS="-k name" picks some
	PYTHONDONTWRITEBYTECODE= python -m pytest --numprocesses 3 --no-loadscope-reorder $(ARGS)

lint: $(STAMP)  ## check style and types
	ruff check .
	ruff format --check .
	mypy

format: $(STAMP)  ## put the code into its style
	ruff check --fix .
	ruff format .

publish: init  ## put the results into the tracking store, without running another stage
	@PYTHONPATH=src python -m ctrnn.tracking publish

ui: init  ## open the runs in MLflow, on this machine only; PORT=5001 takes another port
	@PYTHONPATH=src python -m ctrnn.tracking ui --port $(PORT)

bench: $(STAMP)  ## time a training step against its contenders (the extra `bench` adds some)
	PYTHONPATH=src:. python benchmarks/training_step.py --growth $(ARGS)
	PYTHONPATH=src:. python benchmarks/derived_kernel.py
	PYTHONPATH=src:. python benchmarks/time_to_criterion.py

results: $(STAMP)  ## run the missing experiments of docs/explanation/results.md (hours for all); ARGS="gain relu" picks some
	PYTHONPATH=src python -m experiments.run $(ARGS)

docs: $(STAMP)  ## build the pages of docs/ into site/, strictly; they open from the disk, offline
	PYTHONPATH=src:. NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "The pages are in site/index.html."

docs-pictures: repro  ## make every picture of docs/ anew (Chromium takes those of MLflow; ARGS=--results leaves them out)
	PYTHONPATH=src:. python -m tools.docs_pictures $(ARGS)

verify: $(STAMP)  ## run everything again in a clone, in several ways, and compare every hash; ARGS="mante" picks tasks, --small the small configuration
	PYTHONPATH=src:. python -m tools.verify $(ARGS)

relock: init  ## run the shipped and the small configuration; write both locks, all metrics and pictures of results anew
	rm -f dvc.lock  # DVC would keep the entries of stages that are gone
	dvc repro
	PYTHONPATH=src:. python -m tools.docs_pictures --results
	PYTHONPATH=src python -m tests.pipeline.relock

# Both files hold on every platform and for every Python from 3.11 on. requirements-torch.lock has torch and all it needs;
# requirements.lock has everything but torch and CUDA, which is what torch needs in its builds for CUDA and in no other.
COMPILE := python -m uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make lock"
CUDA := cuda-bindings cuda-toolkit nvidia-cudnn-cu13 nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 triton

lock: $(STAMP)  ## write requirements*.lock from pyproject.toml; ARGS=--upgrade takes the newest of every package
	$(COMPILE) $(ARGS) --extra dev --extra docs --no-emit-package torch --excludes <(printf '%s\n' $(CUDA)) \
	  --output-file requirements.lock pyproject.toml
	$(COMPILE) $(ARGS) --constraints requirements.lock --output-file requirements-torch.lock - <<< "$(TORCH)"

clean:  ## remove results, checkpoints, tools' caches and the environment; the DVC cache and the tracked runs stay
	rm -rf artifacts .checkpoints reports/figures reports/index.html
	rm -rf site .pytest_cache .mypy_cache .ruff_cache .hypothesis $(VENV)
