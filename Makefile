# The commands of this checkout. Each one makes .venv ready first, which takes a moment when it is.
# PYTHON=… chooses the interpreter that a new .venv is made with.

.DEFAULT_GOAL := help
.PHONY: help setup demo chaos bench-llm test lint lock clean

CHECKS = ruff format mypy imports

help: ## Show these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

setup: ## Make .venv ready
	@PYTHON='$(PYTHON)' bin/setup

demo: setup ## Carry about 100 posts through a whole stack on this machine
	@.venv/bin/linkner demo

chaos: setup ## Kill and cut off the parts of a stack for two minutes, and say whether a post was lost
	@.venv/bin/linkner chaos

bench-llm: setup ## Measure the LLM callers at a simulated provider's limits: some twenty minutes
	@.venv/bin/python -m tests.benchmarks.llm

test: setup ## Run every check and every test
	@bin/check $(CHECKS) pytest

lint: setup ## Run the checks alone
	@bin/check $(CHECKS)

lock: setup ## Resolve the dependencies afresh and write requirements.lock (needs the network)
	@.venv/bin/python bin/lock.py

clean: ## Remove .venv, caches and build output
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
