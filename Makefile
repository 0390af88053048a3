# Every command a person needs, and nothing a command does not need. `make help` lists them.
#
# STACK chooses the stack (Pulumi.<stack>.yaml). The engine is the Pulumi CLI where it is on PATH
# and the embedded one (local_engine) elsewhere; ENGINE=embedded or ENGINE=pulumi chooses by hand.
# CLOUD=simulated sends a cloud's stack to one on this machine (docs/simulated-cloud.md).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

STACK ?= local
ENGINE ?= auto
CLOUD ?= real
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PYTEST_ARGS ?=
BENCHMARK_ARGS ?= --quick
DOCTOR_ARGS ?=
COST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STATE := .state
# The installer is pinned like everything else; it resolves nothing, it installs what the lock says.
UV := uv==0.13.9

# Where the stack is deployed: what its file says, or this machine.
TARGET := $(or $(shell sed -n 's/^ *mlflow-platform:target: *//p' Pulumi.$(STACK).yaml 2>/dev/null),local)

# A platform on this machine keeps its state and passphrase in this checkout and leaves the user's
# own Pulumi login alone. Other stacks use whatever backend the user is logged in to.
ifeq ($(filter real simulated,$(CLOUD)),)
$(error CLOUD is `$(CLOUD)`: say CLOUD=simulated, or leave it out for the real one)
endif
ifeq ($(TARGET) $(CLOUD),local simulated)
$(error the stack $(STACK) is this machine's, no cloud's: say STACK=dev CLOUD=simulated)
endif
# Where a stack's state is this checkout's own affair.
HERE := $(or $(filter local,$(TARGET)),$(filter simulated,$(CLOUD)))
ifeq ($(CLOUD),simulated)
# Never beside the state of the real stack of this name, whatever the user is logged in to.
SIMULATED := $(STATE)/simulated-cloud
export PULUMI_BACKEND_URL := file://$(CURDIR)/$(SIMULATED)/pulumi
ON_CLOUD = eval "$$(python -m simulated_cloud start --state $(SIMULATED))";
endif
ifneq ($(HERE),)
export PULUMI_BACKEND_URL ?= file://$(CURDIR)/$(STATE)/pulumi
ifndef PULUMI_CONFIG_PASSPHRASE
export PULUMI_CONFIG_PASSPHRASE_FILE ?= $(CURDIR)/$(STATE)/passphrase
endif
endif
export PULUMI_SKIP_UPDATE_CHECK ?= true

# The virtual environment's interpreter, for Pulumi's Python language host too.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

ifeq ($(ENGINE),auto)
PULUMI := $(if $(shell command -v pulumi),pulumi,python -m local_engine)
else ifeq ($(ENGINE),embedded)
PULUMI := python -m local_engine
else
PULUMI := pulumi
endif
# The check reads the stack with the engine that deploys it.
export MLFLOW_PLATFORM_ENGINE := $(ENGINE)

# The CLI writes the passphrase's salt into the configuration file it is given. The file in git is
# for every checkout and the passphrase is for this one, so the CLI gets a copy.
CLI := $(or $(SIMULATED),$(STATE))/cli
ifneq ($(HERE),)
# A server stopped by hand or a rebooted machine shows only to who looks: reading this machine (and
# what is simulated on it) takes a moment. A cloud takes minutes; there `make drift` looks, on a schedule.
REFRESH := --refresh
endif
ifeq ($(and $(HERE),$(filter pulumi,$(PULUMI))),pulumi)
CONFIG_FILE := --config-file $(CLI)/Pulumi.$(STACK).yaml
endif

# Backups of what is on this machine have a key of this checkout's own, unless a recipient is named.
ifneq ($(HERE),)
ifndef MLFLOW_PLATFORM_BACKUP_RECIPIENT
BACKUP_KEY := $(STATE)/backup-key
RECIPIENT = MLFLOW_PLATFORM_BACKUP_RECIPIENT="$$(sed -n 's/^\# public key: //p' $(BACKUP_KEY))"
endif
endif

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: stack ## Deploy the stack, pass the four-stage check, print the URL
	@$(ON_CLOUD) $(PULUMI) up --stack $(STACK) $(CONFIG_FILE) $(REFRESH) --yes --skip-preview
ifeq ($(CLOUD),simulated)
	@echo "In a simulated cloud nothing serves: no check, no URL. \`make down\` with the same words ends it; of a production stack, once its protection is lifted."
else
	@python -m smoke_tests --stack $(STACK)
	@printf '\nMLflow is ready: %s\n' "$$($(PULUMI) stack output trackingUri --stack $(STACK))"
endif

.PHONY: preview
preview: stack ## Show what `make up` would change, and change nothing
	@$(ON_CLOUD) $(PULUMI) preview --stack $(STACK) $(CONFIG_FILE) $(REFRESH) --diff

.PHONY: smoke
smoke: setup ## Run the four-stage check against the deployed stack
	@python -m smoke_tests --stack $(STACK)

.PHONY: latency
latency: setup ## Measure the deployed stack: requests, database round trips, the pool in force
	@python -m operations latency --stack $(STACK)

.PHONY: doctor
doctor: setup ## Say what is wrong with the deployed stack, with cause and next step
	@$(ON_CLOUD) python -m operations doctor --stack $(STACK) $(DOCTOR_ARGS)

.PHONY: drift
drift: stack ## Compare the deployed stack with what really runs; fails when they differ
	@$(ON_CLOUD) python -m operations drift --stack $(STACK) $(CONFIG_FILE)

.PHONY: policies
policies: stack ## Hold what the stack would consist of against the rules (docs/policies.md)
	@mkdir -p $(STATE)
	@$(ON_CLOUD) $(PULUMI) preview --stack $(STACK) $(CONFIG_FILE) --json --show-sames > $(STATE)/preview.json || true
	@python -m operations policies --stack $(STACK) --preview $(STATE)/preview.json

.PHONY: cost
cost: stack ## Estimate what the stack costs each month (COST_ARGS="--against dev")
	@mkdir -p $(STATE)
	@$(ON_CLOUD) $(PULUMI) preview --stack $(STACK) $(CONFIG_FILE) --json --show-sames > $(STATE)/preview.json || true
	@python -m operations cost --stack $(STACK) --preview $(STATE)/preview.json $(COST_ARGS)

.PHONY: backup
backup: setup $(BACKUP_KEY) ## Back up database and artifacts, encrypted (TO=place, BACKUP_ARGS="--keep 7")
	@$(RECIPIENT) python -m operations backup --stack $(STACK) --to $(or $(TO),$(STATE)/backups) $(BACKUP_ARGS)

.PHONY: drill
drill: setup ## Back up, restore beside and compare every row and every byte
	@python -m operations drill --stack $(STACK)

.PHONY: down
down: stack ## Stop and remove the stack's resources; the local stack keeps its data
	@# The preview stops at what is protected, before anything is deleted.
	@$(ON_CLOUD) $(PULUMI) destroy --stack $(STACK) $(CONFIG_FILE) --yes
ifeq ($(CLOUD),simulated)
	@python -m simulated_cloud stop --state $(SIMULATED)
endif

.PHONY: password
password: setup ## Show the administrator's password of a stack with basic authentication
	@$(PULUMI) stack output authAdminPassword --show-secrets --stack $(STACK)

.PHONY: kubernetes
kubernetes: setup-dev ## Build (once) and start a real Kubernetes control plane for the simulated cloud
	@python -m simulated_cloud.kubernetes up

.PHONY: test
test: setup-dev check ## Run lint, types and the whole test suite
	@python -m pytest $(PYTEST_ARGS)

.PHONY: benchmark
benchmark: setup ## Compare default `mlflow server` with ours (BENCHMARK_ARGS=--full for everything)
	@python -m benchmarks.server_comparison $(BENCHMARK_ARGS)

.PHONY: test-fast
test-fast: setup-dev check ## The same without the tests that take minutes
	@python -m pytest --fast $(PYTEST_ARGS)

.PHONY: check
check: setup-dev ## Run lint, format check and strict types
	@ruff check .
	@ruff format --check .
	@basedpyright

.PHONY: stack
stack: setup $(if $(SIMULATED),setup-dev) $(STATE)/passphrase
ifdef SIMULATED
	@mkdir -p $(SIMULATED)/pulumi
endif
ifdef CONFIG_FILE
	@mkdir -p $(CLI) && cp Pulumi.yaml $(CLI)/
	@pulumi --cwd $(CLI) stack select --create $(STACK) >/dev/null
	@file=Pulumi.$(STACK).yaml; \
	if grep -q '^encryptionsalt:' $$file; then cp $$file $(CLI)/; else \
	  salt=$$(grep -s '^encryptionsalt:' $(CLI)/$$file || true); \
	  { cat $$file; echo "$$salt"; } > $(CLI)/$$file; fi
else ifeq ($(PULUMI),pulumi)
	@pulumi stack select --create $(STACK) >/dev/null
endif

.PHONY: setup
setup: $(VENV)/.installed ## Make the virtual environment from the locked requirements

.PHONY: setup-dev
setup-dev: $(VENV)/.installed-dev

.PHONY: lock
lock: $(VENV)/bin/uv ## Rewrite the lock files from requirements*.in
	@for name in requirements requirements-dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --output-file $$name.txt $$name.in; \
	done
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --no-annotate --override image/left-out.txt \
	  --output-file image/requirements.txt image/requirements.in
	@# Pulumi's policy library asks for older libraries than ours: an environment of its own.
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --output-file policies/requirements.txt \
	  policies/requirements.in

# The base's digest is what its tag means today; the image's label keeps it. To build the same image
# again, give it: make image BASE_DIGEST=sha256:…
.PHONY: image
image: BASE := $(shell sed -n 's/^ARG PYTHON_IMAGE=//p' image/Dockerfile)
image: IMAGE ?= mlflow-platform-server:3.17.2
image: ## Build the server's image (docker, or podman as docker)
	@command -v docker >/dev/null || { echo "make image needs docker on PATH (or podman's docker command)" >&2; exit 2; }
	@digest=$${BASE_DIGEST:-$$(docker buildx imagetools inspect $(BASE) --format '{{.Manifest.Digest}}')}; \
	docker build --build-arg "PYTHON_IMAGE=$(BASE)@$$digest" \
	  --label "org.opencontainers.image.base.digest=$$digest" --tag $(IMAGE) image

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed; {sys.executable} is {v.major}.{v.minor}: install it, or name another one with PYTHON=…")'
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV)'

$(VENV)/.installed: requirements.txt | $(VENV)/bin/uv
	@echo "Installing the locked requirements"
	@uv pip install --quiet --require-hashes --compile-bytecode --requirements requirements.txt
	@# The server's package is this checkout's, found by its way from site-packages.
	@echo ../../../../image > $$(python -c 'import site; print(site.getsitepackages()[0])')/mlflow_platform_server.pth
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@uv pip install --quiet --require-hashes --requirements requirements-dev.txt
	@touch $@

# Made once, readable by its owner alone: it opens this machine's backups (keep a copy elsewhere).
$(STATE)/backup-key: | $(VENV)/.installed
	@mkdir -p $(STATE)
	@python -m operations backup-key --to $@ >/dev/null

# Made once, readable by its owner alone: it encrypts the secrets in this checkout's state.
$(STATE)/passphrase: | $(VENV)/.installed
	@if [ -z "$${PULUMI_CONFIG_PASSPHRASE:-}" ] && \
	    [ -n "$$(ls $(STATE)/{,simulated-cloud/}pulumi/.pulumi/stacks/*/*.json 2>/dev/null)" ]; then \
	  echo "$@ is gone, and with it what opens the secrets in this checkout's state: put it back from a copy, or set PULUMI_CONFIG_PASSPHRASE to what stood in it" >&2; exit 2; fi
	@mkdir -p $(STATE)/pulumi
	@umask 077 && python -c 'import secrets; print(secrets.token_urlsafe(32))' > $@
