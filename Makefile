# Homespun's commands. `make` alone lists them.
# DEV is the environment that lint, types and tests run in; it is built at the first use and kept in the cache.

.DEFAULT_GOAL := help
.PHONY: help home doctor up model data fetch shell down tools environments test lint unit integration e2e bench-embedding bench-training bench-vectors bench-mesh lock clean
SHELL := /bin/bash
export PYTHONPATH := $(CURDIR)
export PYTHONDONTWRITEBYTECODE := 1
export OMP_NUM_THREADS := 1
# What linters and tests remember goes into the cache too, not into the clone.
CACHE := $(shell python3 -c 'from homespun import places; print(places.cache())')
export RUFF_CACHE_DIR := $(CACHE)/ruff
export MYPY_CACHE_DIR := $(CACHE)/mypy
export HYPOTHESIS_STORAGE_DIRECTORY := $(CACHE)/hypothesis
export OPENBLAS_NUM_THREADS := 1

DEV = $(shell python3 -m tools --environment dev)/bin
TRAINING = $(shell python3 -m tools --environment training-tests)/bin
# Tests that open sockets run in a network namespace of their own: nothing of theirs leaves it, nothing is left behind.
ISOLATED = unshare --net --mount-proc --pid --fork --kill-child

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# MACHINES=3 is a lab of its own: stacks/Pulumi.lab3-base.yaml.
ifdef MACHINES  # also in `make shell`, which says which stack it is of
STACK := lab$(filter-out 1,$(MACHINES))
endif
STACK ?= lab
CLI = $(shell python3 -m tools --environment stacks)/bin/python -m cli

home: ## a cluster of machines of your own: asks for them, looks at them, writes stacks/Pulumi.home*.yaml
	@$(CLI) home

doctor: ## what was found, what will be touched, how much is downloaded or compiled, what stands in the way
	@$(CLI) doctor --stack $(STACK)

up: ## tools, machines, cluster, platform, a model, a collection; ends with an answer (STACK=lab, MACHINES=1); a second one changes nothing
	@$(CLI) up --stack $(STACK)

model: ## copy a model's folder into the claim `models`: FROM=folder, NAME=its name there, REPLACE=1 for one that is there
	@$(if $(FROM),,$(error FROM: expected a model's folder, got none; make model FROM=folder))
	@$(CLI) model --stack $(STACK) --name "$(NAME)" $(if $(filter 1,$(REPLACE)),--replace) "$(FROM)"

data: ## copy texts or records into the claim `data`: FROM=folder, NAME=its name there, REPLACE=1 for one that is there
	@$(if $(FROM),,$(error FROM: expected a folder, got none; make data FROM=folder))
	@$(CLI) data --stack $(STACK) --name "$(NAME)" $(if $(filter 1,$(REPLACE)),--replace) "$(FROM)"

fetch: ## copy a file or a folder out of a claim: FROM=data/.training/shakespeare/model TO=where it is to be on this box
	@$(if $(FROM),,$(error FROM: expected CLAIM/PATH, got none; make fetch FROM=data/.training/shakespeare/model))
	@$(if $(TO),,$(error TO: expected where it is to be on this box, got nothing; TO=/tmp/model))
	@$(CLI) fetch --stack $(STACK) --to "$(TO)" "$(FROM)"

shell: ## a shell in which pulumi, kubectl and python find everything
	@$(CLI) shell --stack $(STACK)

down: ## take it all away, its data after a question (YES=1 answers it); the cache stays
	@$(CLI) down --stack $(STACK)

tools: ## obtain the third-party commands (found, downloaded or built), with progress
	@python3 -m tools
	@python3 -m tools.pulumi

test: lint unit integration e2e ## everything

lint: ## format, lint, types, import contracts, lock files
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy .
	$(DEV)/lint-imports --no-cache

unit: ## fast and pure
	$(DEV)/pytest tests/unit

integration: tools environments ## on real parts, each started once; two groups of tests at a time
	@python3 -m tools headscale tailscaled versitygw caddy
	@$(DEV)/python -m tools.jobset
	$(DEV)/python -m tests.side_by_side $(TRAINING)/pytest

e2e: tools environments ## a real machine, a real cluster, a real model: from nothing to an answer and back
	$(DEV)/pytest -s tests/e2e

environments: ## build the Python environments that the tests' programs run in
	@for extra in operator serving triton vectors milvus spark training training-tests minilm gpt2 stacks hosts \
		shell client-pinecone client-hf-036 client-hf-12 client-hf-24 client-vast; do \
		python3 -m tools --environment $$extra >/dev/null || exit 1; done

bench-embedding: ## latency, throughput and memory of a served model
	$(ISOLATED) bash -c 'ip link set lo up && $(DEV)/python -m bench.embedding'

bench-training: ## our models against transformers on this CPU: tokens a second, forward and backward
	$(TRAINING)/python -m bench.training

bench-vectors: ## a collection's latency, recall and memory
	$(ISOLATED) bash -c 'ip link set lo up && $(DEV)/python -m bench.vectors'

bench-mesh: ## pods on different machines against pods on one, and how soon a cut is noticed and healed
	HOMESPUN_STATE=/var/lib/homespun-bench $(DEV)/python -m bench.mesh

lock: ## write requirements/*.txt anew from pyproject.toml
	@python3 -m tools.lock

clean: ## remove the cache of commands and environments
	rm -rf -- "$(CACHE)"
