# Everything a change must pass, and one target for each bench and campaign.
PY := .venv/bin/python

.PHONY: setup test check lint types imports generated campaign-resume campaign-forgeries fuzz coverage bench-verify bench-hostile bench-merkle

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
	$(PY) scripts/generate_reference.py --check
	$(PY) scripts/generate_report_schema.py --check

# kill -9 at every boundary of a piece of evidence's way; nothing may be lost or doubled.
campaign-resume:
	$(PY) -m tests.faults.resume

# Every forgery and every single byte, against both implementations of the verification.
campaign-forgeries:
	$(PY) -m tests.forgeries.campaign

# Branch coverage of the parts that judge; anything below 100 % fails.
coverage:
	rm -f .setup/coverage*
	.venv/bin/coverage run -m pytest -q tests/unit/core tests/unit/verify tests/unit/cli tests/unit/timestamp tests/unit/anchor tests/forgeries tests/golden
	.venv/bin/coverage combine -q
	.venv/bin/coverage report --fail-under=100

# Ten minutes of coverage-guided fuzzing for every parser of untrusted bytes.
fuzz:
	$(PY) -m tests.fuzz.run

# Time and memory of evidence verify, beside OpenTimestamps' client in the same run.
bench-verify:
	$(PY) -m bench.verify_time

# The worst files we can think of: 10 s and 512 MB each.
bench-hostile:
	$(PY) -m bench.hostile

# A million entries, tree and all proofs, beside three other implementations in the same run; five minutes.
bench-merkle:
	$(PY) -m bench.merkle
