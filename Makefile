# Every command of this repository. `make` prints them; the work is done by the scripts in ci/.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
include ci/versions.env

PYTHON ?= python3
export PYTHONDONTWRITEBYTECODE := 1

##@ Run the platform
.PHONY: up down dev seed-mock-data smoke-test screenshots
up: tools ## Set up everything and end with the platform on a local kind cluster (PORT=8080)
	$(PYTHON) ci/up.py

down: ## Delete the local cluster that `make up` made
	$(PYTHON) ci/cluster.py down --name triptych-alpha

dev: tools ## Run the three programs as processes with reload, on SQLite (DB_TYPE=mysql: on a real MariaDB)
	$(PYTHON) ci/dev.py

seed-mock-data: ## Fill the running platform with a few items per feature, through its API (re-runnable)
	$(PYTHON) ci/seed_mock_data.py

smoke-test: ## Log in to the running platform and check every component (helm test)
	$(PYTHON) ci/smoke_test.py

screenshots: ## Take pictures of every page of the running platform into docs/screenshots/
	$(PYTHON) ci/screenshots.py

##@ Build
.PHONY: tools images render clean
tools: ## Install prerequisites and build the pinned tools into the cache (a no-op when there)
	bash ci/prerequisites.sh
	$(PYTHON) ci/tools.py

images: tools ## Build the container images that changed (PLATFORM=linux/arm64 for another platform)
	$(PYTHON) ci/images.py $(if $(PLATFORM),--platform $(PLATFORM))

render: tools ## Regenerate overlays/base and docs/operators/values.md from the chart
	$(PYTHON) ci/render.py

clean: ## Remove this project's outdated images and cache entries, nothing of others (DRY_RUN=1 only names them)
	$(PYTHON) ci/clean.py $(if $(DRY_RUN),--dry-run)

##@ Cluster
.PHONY: cluster-up cluster-down
cluster-up: tools ## Create the local kind cluster only (a second call changes nothing)
	$(PYTHON) ci/cluster.py up --name triptych-alpha

cluster-down: down ## The same as `make down`

##@ Test
.PHONY: lint test test-unit test-chart test-integration test-cluster test-e2e test-ct bench
lint: tools ## Run every linter, chart-testing's included
	$(PYTHON) ci/lint.py

test: tools ## Pass every test: lint, unit, chart, integration, a real cluster, a real browser
	$(PYTHON) ci/test.py all

test-unit: tools ## Unit tests beside the code (Python, Go, TypeScript)
	$(PYTHON) ci/test.py unit

test-chart: tools ## Rendered manifests against rules and Kubernetes schemas
	$(PYTHON) ci/test.py chart

test-integration: tools ## Images and backend on real database servers
	$(PYTHON) ci/test.py integration

test-cluster: tools ## Install, upgrade, break and mend the platform on a real kind cluster
	$(PYTHON) ci/test.py cluster

test-e2e: tools ## A headless browser against the platform on the test cluster
	$(PYTHON) ci/test.py e2e

test-ct: tools ## chart-testing installs every ci/*-values.yaml on the test cluster
	$(PYTHON) ci/test.py ct

##@ Measure
.PHONY: measure bench
measure: tools ## Measure install, render and image figures and rewrite docs/performance.md
	$(PYTHON) ci/measure.py

bench: tools ## The backend against FastAPI + SQLAlchemy on one PostgreSQL; writes docs/performance-backend.md
	$(PYTHON) tests/performance/bench.py

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*##/ {printf "  \033[33m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
