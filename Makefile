# Everything a change must pass, and one target for each bench and campaign.
PY := .venv/bin/python

.PHONY: setup test check lint types imports generated

setup:
	./scripts/setup

test:
	./scripts/test

check: setup lint types imports generated
	$(PY) -m pytest -q

lint:
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	node_modules/.bin/solhint --max-warnings 0 'contracts/*.sol'

types:
	.venv/bin/mypy

imports:
	.venv/bin/lint-imports

generated:
	$(PY) scripts/generate_vectors.py --check
