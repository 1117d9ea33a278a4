# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
# What follows `lab` on the command line of the lab tool, as in `make lab ARGS="ssh demo director1"`.
ARGS ?= --help

VENV := .venv
BIN := $(VENV)/bin
BUILD := .build
COLLECTION := $(BUILD)/collections/ansible_collections/lvs/cluster

export PYTHON
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(BUILD)/collections
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-down lab check test test-full test-pairs benchmark test-conformance test-unit test-kernel test-lab test-molecule format changelog clean \
    root python-packages lab-packages
# Prerequisites are in order: root first, then packages, then the environment.
.NOTPARALLEL:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: root lab-packages $(VENV)/demo.stamp $(COLLECTION) ## Build a small cluster of machines and watch it balance (root)
	@$(BIN)/python molecule/lab/demo.py up

demo-down: root $(VENV)/demo.stamp ## Take the demo's machines down again (root)
	@$(BIN)/python molecule/lab/demo.py down

lab: root lab-packages $(VENV)/demo.stamp $(COLLECTION) ## Run the lab tool: make lab ARGS="status" (root)
	@$(BIN)/python molecule/lab $(ARGS)

check: python-packages $(VENV)/test.stamp $(COLLECTION) ## Run the quick part of the tests: conformance and unit
	@$(BIN)/python tests/run.py conformance unit

test: root lab-packages $(VENV)/test.stamp $(COLLECTION) ## Run all tests: conformance, unit, kernel, lab, molecule (root)
	@$(BIN)/python tests/run.py

test-full: root lab-packages $(VENV)/test.stamp $(COLLECTION) ## Run all tests, and those that take longer: pairs of directors (root)
	@$(BIN)/python tests/run.py full

test-conformance test-unit: test-%: python-packages $(VENV)/test.stamp $(COLLECTION)
	@$(BIN)/python tests/run.py $*

test-kernel test-lab test-molecule test-pairs: test-%: root lab-packages $(VENV)/test.stamp $(COLLECTION)
	@$(BIN)/python tests/run.py $*

benchmark: root lab-packages $(VENV)/test.stamp $(COLLECTION) ## Measure the modules against ipvsadm and pyroute2, in a machine (root)
	@$(BIN)/python tests/benchmark/run.py

format: python-packages $(VENV)/test.stamp ## Format the Python files and repair what ruff can repair
	@$(BIN)/nox -s ruff -- fix

changelog: python-packages $(VENV)/test.stamp $(COLLECTION) ## Write the fragments and new plugins into CHANGELOG.rst
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
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/demo.stamp: requirements-demo.txt $(VENV)/made.stamp
	@echo "Installing the controller's Python packages ($<)"
	@$(BIN)/pip install --quiet -r $<
	@touch $@

$(VENV)/test.stamp: requirements-test.txt $(VENV)/demo.stamp
	@echo "Installing the tests' Python packages ($<), which takes about a minute"
	@$(BIN)/pip install --quiet -r $<
	@touch $@

# Ansible finds this tree under its real name. The link is relative, so the tree can be moved.
$(COLLECTION):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@
