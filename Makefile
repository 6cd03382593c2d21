# Every target sets up .venv first; PYTHON is any Python 3.11 or later.
PYTHON ?= python3
TESTS ?= tests/cluster

.PHONY: quickstart test test-slow test-cluster lint clean

quickstart: .venv/run
	.venv/bin/python run_study.py --study quickstart

test: .venv/test
	.venv/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

test-slow: .venv/test
	.venv/bin/python -m pytest -q -m slow

# Real clusters, servers and networks: on Linux, most of it as root; what cannot be had is skipped.
test-cluster: .venv/cluster
	.venv/bin/python -m pytest -q -m slow $(TESTS)

lint: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python pyproject.toml
	.venv/bin/python -m pip install --quiet --editable .
	touch $@

.venv/test: .venv/bin/python pyproject.toml
	.venv/bin/python -m pip install --quiet --editable '.[test]'
	touch $@ .venv/run

.venv/cluster: .venv/bin/python pyproject.toml
	.venv/bin/python -m pip install --quiet --editable '.[test,cluster]'
	touch $@ .venv/run .venv/test

.venv/dev: .venv/bin/python pyproject.toml
	.venv/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@ .venv/run .venv/test

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
