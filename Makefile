# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
override PYTHON := $(shell .ci/interpreter '$(PYTHON)')
# What follows `lab` on the command line of the lab tool, as in `make lab ARGS="ssh demo director1"`.
ARGS ?= --help
# Which versions of Python packages the environment gets: locked (those of locks/), or the newest or the lowest that the
# requirements allow. The environments of tests/matrix.py are always locked.
VERSIONS ?= locked

VENV := .venv
BIN := $(VENV)/bin
BUILD := .build
COLLECTION := $(BUILD)/collections/ansible_collections/lvs/cluster
UV := $(BUILD)/uv
DEMO := $(VENV)/demo-$(VERSIONS).stamp
TEST := $(VENV)/test-$(VERSIONS).stamp
# Under sudo the environment is made as the user who owns the tree, not as root.
OWNER := $(if $(SUDO_USER),$(filter $(SUDO_USER),$(shell stat -c %U .)))
AS_OWNER := $(if $(OWNER),runuser -u $(OWNER) -- env HOME=$(shell getent passwd $(OWNER) | cut -d: -f6))

export PYTHON
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(BUILD)/collections
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-down lab check test test-full test-pairs benchmark test-conformance test-unit test-hostile test-matrix test-kernel test-lab \
    test-newest-kernel test-molecule fleet format docs lock changelog clean \
    root python-packages lab-packages
# Prerequisites are in order: root first, then packages, then the environment.
.NOTPARALLEL:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: root lab-packages $(DEMO) $(COLLECTION) ## Build a small cluster of machines and watch it balance (root)
	@$(BIN)/python molecule/lab/demo.py up

demo-down: root $(DEMO) ## Take the demo's machines down again (root)
	@$(BIN)/python molecule/lab/demo.py down

lab: root lab-packages $(DEMO) $(COLLECTION) ## Run the lab tool: make lab ARGS="status" (root)
	@$(BIN)/python molecule/lab $(ARGS)

check: python-packages $(TEST) $(COLLECTION) ## Run the quick part of the tests: conformance, unit and hostile
	@$(BIN)/python tests/run.py check

test: root lab-packages $(TEST) $(COLLECTION) ## Run all tests but those that take longest (root)
	@$(BIN)/python tests/run.py

test-full: root lab-packages $(TEST) $(COLLECTION) ## Run all tests: also the newest kernel, and pairs of directors (root)
	@$(BIN)/python tests/run.py full

test-conformance test-unit test-hostile test-matrix: test-%: python-packages $(TEST) $(COLLECTION)
	@$(BIN)/python tests/run.py $*

test-kernel test-lab test-molecule test-newest-kernel test-pairs: test-%: root lab-packages $(TEST) $(COLLECTION)
	@$(BIN)/python tests/run.py $*

benchmark: root lab-packages $(TEST) $(COLLECTION) ## Measure the modules against ipvsadm and pyroute2, in a machine (root)
	@$(BIN)/python tests/benchmark/run.py

fleet: python-packages $(TEST) $(COLLECTION) ## Run site over fleets of hosts that do not exist, and measure the controller
	@$(BIN)/python tests/fleet/run.py

format: python-packages $(TEST) ## Format the Python files and repair what ruff can repair
	@$(BIN)/nox -s ruff -- fix

docs: python-packages $(TEST) $(COLLECTION) ## Build the site of the documentation into .build/docs/html
	@$(BIN)/nox -s docs

lock: python-packages $(UV)/made.stamp ## Write the newest versions that the requirements allow into locks/
	@$(UV)/bin/python tests/lock.py

changelog: python-packages $(TEST) $(COLLECTION) ## Write the fragments and new plugins into CHANGELOG.rst
	@PATH="$(CURDIR)/$(BIN):$$PATH" antsibull-changelog release --update-existing --reload-plugins --refresh-plugins

clean: ## Remove what make has built: environments, caches
	rm -rf $(VENV) $(BUILD) .ansible .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache

root:
	@[ "$$(id -u)" -eq 0 ] || { echo "make $(or $(MAKECMDGOALS),help) builds network namespaces and machines:" \
	    "run it as root, for example with sudo make $(or $(MAKECMDGOALS),help)" >&2; exit 1; }

python-packages:
	@.ci/packages python

lab-packages:
	@.ci/packages lab

# The stamps lie in the environment, so they go when it goes.
$(VENV)/made.stamp:
	@echo "Making the virtual environment $(VENV)"
	@$(AS_OWNER) $(PYTHON) -m venv --clear $(VENV)
	@$(AS_OWNER) touch $@

# Locked: no package builds itself, and each file has the hash that is written down.
$(VENV)/%-locked.stamp: locks/%.lock $(VENV)/made.stamp
	@echo "Installing Python packages ($<), which takes up to a minute"
	@$(AS_OWNER) $(BIN)/pip install --quiet --require-hashes --only-binary :all: -r $<
	@$(STAMP)

$(VENV)/%-newest.stamp: requirements-%.txt $(VENV)/made.stamp
	@echo "Installing the newest Python packages that $< allows"
	@$(AS_OWNER) $(BIN)/pip install --quiet --upgrade --upgrade-strategy eager -r $<
	@$(STAMP)

$(VENV)/%-lowest.stamp: requirements-%.txt $(VENV)/made.stamp $(UV)/made.stamp
	@echo "Installing the lowest versions of Python packages that $< allows"
	@$(AS_OWNER) $(UV)/bin/uv pip compile --quiet --no-config --resolution lowest-direct --python $(BIN)/python \
	    --output-file $(VENV)/lowest.txt $<
	@$(AS_OWNER) $(BIN)/pip install --quiet -r $(VENV)/lowest.txt
	@$(STAMP)

# The environment holds one choice of versions: with another one, the stamps of the former go.
STAMP = rm -f $(filter-out %-$(VERSIONS).stamp,$(wildcard $(VENV)/*-*.stamp)) && $(AS_OWNER) touch $@

$(UV)/made.stamp:
	@echo "Making an environment for uv"
	@$(AS_OWNER) mkdir -p $(BUILD)
	@$(AS_OWNER) $(PYTHON) -m venv --clear $(UV)
	@$(AS_OWNER) $(UV)/bin/pip install --quiet 'uv>=0.9'
	@$(AS_OWNER) touch $@

# Ansible finds this tree under its real name. The link is relative, so the tree can be moved.
$(COLLECTION):
	@$(AS_OWNER) mkdir -p $(@D)
	@$(AS_OWNER) ln -sfn ../../../.. $@
