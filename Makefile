# Every step of CI is a target that runs on a laptop. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := app ops load infra dev
INFRA_SECONDS := 30
# xdist's workers share the two cores of a small machine; more workers only queue.
PYTEST := $(BIN)/python -m pytest
# Faults that bear company: they judge no time under seconds.
FAULTS_ASIDE := tests/release/test_kill_matrix.py tests/release/test_kill_staged.py tests/release/test_state_machine.py tests/slo/test_alarms.py

.PHONY: help demo test test-faults test-browser test-cluster test-node cluster-demo bench-cluster tools test-infra time-infra test-rehearsal lint types fmt docs lock lock-check bench image image-push audit clean

help: ## Print this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## The main job: system up, 1,000 requests/s through live releases, verdict and report
	$(BIN)/primetrade demo $(DEMO_ARGS)

test: $(VENV)/.dev ## The tests (real PostgreSQL, Valkey, Envoy; 4 minutes on two cores)
	$(PYTEST) -n 2 --dist loadgroup --ignore tests/infra -m 'not faults and not browser and not cluster' $(TEST_ARGS)

test-faults: $(VENV)/.dev ## Faults on real processes: kills, freezes, full disks, bad releases
	$(PYTEST) -m faults $(FAULTS_ASIDE:%=--ignore=%) $(TEST_ARGS)
	$(PYTEST) -m faults -n 2 $(FAULTS_ASIDE) $(TEST_ARGS)

test-browser: $(VENV)/.dev ## The report in headless Chromium (installs nothing: needs chromium and chromedriver)
	$(PYTEST) -m browser $(TEST_ARGS)

test-cluster: $(VENV)/.dev ## Releases on a real Kubernetes node of this machine (root; Debian's containerd, etcd and docker.io; Go)
	$(PYTEST) -m cluster --ignore tests/cluster/test_node_life.py $(TEST_ARGS)

test-node: $(VENV)/.dev ## Kill and restart that node itself (6 minutes; not in CI)
	$(PYTEST) -m cluster tests/cluster/test_node_life.py $(TEST_ARGS)

cluster-demo: $(VENV)/.dev ## The demo's story on a real Kubernetes node of this machine, behind a Gateway (root)
	$(BIN)/primetrade demo --cluster $(DEMO_ARGS)

bench-cluster: $(VENV)/.dev ## Switches and rollbacks on that node, beside a peer's numbers and a plain rolling update
	$(BIN)/python -m tests.bench cluster

tools: $(VENV)/.dev ## Build the cluster's and Pulumi's programs from their Go modules into the cache (about 25 minutes, once)
	$(BIN)/python -m scripts.tools

test-infra: $(VENV)/.dev ## The AWS programs, planned and judged without an account
	$(PYTEST) -n 2 -m 'not rehearsal' tests/infra $(TEST_ARGS)

time-infra: $(VENV)/.dev ## Seconds of `infra plan`, `cost` and `policy` of production: 10 each are aimed at, over 30 it fails
	@for verb in plan cost policy; do \
	  began=$${EPOCHREALTIME/[.,]/} rc=0; \
	  timeout $(INFRA_SECONDS) $(BIN)/primetrade infra $$verb prod >/dev/null || rc=$$?; \
	  echo "infra $$verb prod: $$((($${EPOCHREALTIME/[.,]/} - began) / 1000)) ms"; \
	  [ $$rc -eq 0 ] || { echo "infra $$verb prod ended with $$rc (124: not within $(INFRA_SECONDS) s)" >&2; exit $$rc; }; \
	done

test-rehearsal: $(VENV)/.dev $(VENV)-pack/.done ## The AWS programs on Pulumi's own engine with a stand-in for AWS (builds the engine: 4 minutes, once)
	$(PYTEST) -n 2 -m rehearsal tests/infra $(TEST_ARGS)

lint: $(VENV)/.dev ## Ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

fmt: $(VENV)/.dev ## Format and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev ## Write the generated pages and schemas anew
	$(BIN)/python -m scripts.reference
	$(BIN)/python -m infra.plan.programs
	$(BIN)/python -m infra.picture
	$(BIN)/python -m infra.cost.page
	$(BIN)/python -m infra.bootstrap.page

lock: $(VENV)/.dev ## Write locks/*.txt anew from pyproject.toml (LOCK_ARGS=--upgrade for newer versions)
	$(call compile_locks,locks)

lock-check: $(VENV)/.dev ## Fail when locks/*.txt are not what pyproject.toml asks for
	rm -rf .local/locks && mkdir -p .local && cp -r locks .local/locks
	$(call compile_locks,.local/locks)
	diff -r locks .local/locks

bench: $(VENV)/.dev ## Benchmarks: ratios and medians beside a peer or a limit, never tests
	$(BIN)/python -m tests.bench

image: $(VENV)/.dev ## The image of the task API into .local/image: archive, digest, bill of materials (IMAGE_ARGS)
	$(BIN)/python -m scripts.image build $(IMAGE_ARGS)

image-push: $(VENV)/.dev ## Push that image to $IMAGE_REPOSITORY, by its digest
	@$(BIN)/python -m scripts.image push

audit: $(VENV)/.dev ## Look up every locked package in the database of known vulnerabilities
	$(BIN)/python -m scripts.image audit

clean: ## Stop the local systems and delete what was built (reports/ stays)
	if [ -x $(BIN)/primetrade ]; then \
	  $(BIN)/primetrade local down; \
	  for state in .local/state.json .local/*/state.json; do \
	    if [ -e "$$state" ]; then $(BIN)/primetrade local down --home "$$(dirname "$$state")"; fi; \
	  done; \
	  if [ -e .local/cluster ]; then $(BIN)/primetrade cluster down; fi; \
	fi
	rm -rf $(VENV) $(VENV)-pack .local .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The dev lock holds every extra; the others are cut from it, so that all agree on every version (but the policy pack's).
define compile_locks
$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra dev $(LOCK_ARGS) -o $(1)/dev.txt pyproject.toml
for extra in app ops generator load infra; do \
  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra $$extra -c $(1)/dev.txt -o $(1)/$$extra.txt pyproject.toml; \
done
$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra pack $(LOCK_ARGS) -o $(1)/pack.txt pyproject.toml
endef

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 with venv is needed, none was found: install it (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: install its venv (Debian: apt install python3-venv), then run make again" >&2; exit 1; }

$(VENV)/.demo: locks/app.txt locks/ops.txt locks/load.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r locks/app.txt -r locks/ops.txt -r locks/load.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)-pack/.done: locks/pack.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)-pack
	$(VENV)-pack/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r locks/pack.txt
	touch $@

$(VENV)/.dev: locks/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.demo
