# Everything a developer does, one target each; `make` lists them.
#
# Nothing has to be installed by hand but make, Python 3.11 or later and Go 1.26 (for the local cluster): tools live in .venv
# and in the cache folder, ${XDG_CACHE_HOME:-~/.cache}/councilor-operator.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

UV_VERSION := 0.13.9
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/councilor-operator
UV := $(CACHE)/uv-$(UV_VERSION)/bin/uv
PYTHON := .venv/bin/python
CRD := crds/councilors.councilors.conductor.community.yaml
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Python environment ---------------------------------------------------------------------------------------------------

$(UV):
	@hack/python-environment "$(CACHE)/uv-$(UV_VERSION)" "$(UV_VERSION)"

.venv/.locked: $(UV) pyproject.toml uv.lock
	@$(UV) sync --quiet --locked --all-extras --all-groups
	@touch $@

.PHONY: venv
venv: .venv/.locked ## Make the Python environment that uv.lock describes.

.PHONY: mongodb-libraries
mongodb-libraries:
	@hack/debian-packages "the MongoDB server of tests and demo" libcurl4 libssl3

.PHONY: lock
lock: $(UV) ## Bring uv.lock up to date with pyproject.toml.
	@$(UV) lock

# --- Checks ---------------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: venv ## Check style, import rules and generated files.
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/lint-imports
	@$(UV) lock --check --quiet
	@$(PYTHON) -m councilor_operator.api.crd | diff -u $(CRD) - \
	  || { echo "$(CRD) differs from the types: run 'make manifests' and commit it" >&2; exit 1; }

.PHONY: types
types: venv ## Check types (mypy, strict).
	@.venv/bin/mypy
	@.venv/bin/mypy tests hack/chart hack/demo hack/images hack/readme hack/reference hack/release hack/verdict
	@MYPYPATH=hack/cluster .venv/bin/mypy -p launcher

.PHONY: format
format: venv ## Format the code and mend what can be mended.
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

.PHONY: manifests
manifests: venv ## Generate from the types: the CRD, what the chart has of it, pages of docs/.
	@$(PYTHON) -m councilor_operator.api.crd > $(CRD).new && mv $(CRD).new $(CRD)
	@$(PYTHON) -m hack.chart
	@$(PYTHON) -m hack.reference

.PHONY: verdict
verdict: venv ## Learn the weights of the verdict from the labelled reports.
	@$(PYTHON) -m hack.verdict

# --- Tests ----------------------------------------------------------------------------------------------------------------

# Integration tests wait for servers more than they compute; the tests of one file share its servers.
WORKERS ?= 2

.PHONY: unit
unit: venv ## Run the unit tests.
	@.venv/bin/pytest tests/unit tests/chart tests/rules

.PHONY: test
test: venv mongodb-libraries cluster-binaries ## Run unit and integration tests (real API server, real mongod, real HTTP).
	@.venv/bin/pytest tests/unit tests/chart tests/rules tests/integration --numprocesses $(WORKERS) --dist loadfile

.PHONY: trials
trials: venv mongodb-libraries ## Crash the runner everywhere and TRIALS (500) times at random, print the figures (half an hour).
	@$(PYTHON) -m tests.crashes

.PHONY: e2e
e2e: venv mongodb-libraries ## Run the end-to-end tests: a real node, the project's own images.
	@hack/cluster/cluster prepare
	@hack/tools/tool helm >/dev/null
	@hack/tools/tool helm3 >/dev/null
	@.venv/bin/pytest tests/e2e

.PHONY: endurance
endurance: venv mongodb-libraries ## Load a real node, kill and take away its parts, count what is left (25 minutes; ENDURANCE=--short: 7).
	@hack/cluster/cluster prepare
	@$(PYTHON) -m tests.endurance $(ENDURANCE)

.PHONY: bench
bench: venv mongodb-libraries cluster-binaries ## Measure operator, runner and sync against the same calls made without them (40 minutes).
	@UV=$(UV) .venv/bin/python -m tests.bench

.PHONY: bench-runner
bench-runner: venv mongodb-libraries ## Measure the runner alone (two minutes).
	@UV=$(UV) .venv/bin/python -m tests.bench runner

.PHONY: bench-sync
bench-sync: venv mongodb-libraries cluster-binaries ## Measure the sync alone (seven minutes).
	@.venv/bin/python -m tests.bench sync

.PHONY: scan
scan: venv ## Look for misconfigurations in the Dockerfile, the images and what the chart renders.
	@UV=$(UV) hack/release/scan

# --- Cluster, images, demo ------------------------------------------------------------------------------------------------

.PHONY: cluster-binaries
cluster-binaries: ## Build Kubernetes for the local cluster (5 minutes at first, then cached).
	@CLUSTER=local hack/cluster/cluster --control-plane prepare

.PHONY: images
images: ## Build the images of operator and runner.
	@hack/images/build

.PHONY: release
release: venv ## Build all that is published into dist/release, with checksums.
	@UV=$(UV) $(PYTHON) -m hack.release --twice


.PHONY: demo
demo: venv mongodb-libraries ## Start a cluster, Conductor, MongoDB and the operator, and watch Councilors run.
	@hack/cluster/cluster prepare
	@hack/tools/tool helm >/dev/null
	@$(PYTHON) -m hack.demo up

.PHONY: readme
readme: venv mongodb-libraries ## Run the demo and refresh the output that README.md shows.
	@hack/cluster/cluster prepare
	@$(PYTHON) -m hack.readme

.PHONY: demo-down
demo-down: venv ## Stop what `make demo` started.
	@$(PYTHON) -m hack.demo down

.PHONY: clean
clean: ## Remove what was built here; the cache folder stays.
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
