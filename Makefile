# Everything a change must pass, and one target for each bench and campaign.
PY := .venv/bin/python

.PHONY: setup test check lint types imports generated coverage campaign-resume campaign-objects campaign-chain campaign-forgeries \
	campaign-api campaign-capture campaign-ssrf fuzz fuzz-contract slither bench-verify bench-hostile bench-examine bench-gas \
	bench-merkle bench-sending bench-ordering bench-capture bench-recorder live-capture \
	live-wire bench-sealing campaign-restore campaign-certificate bench-certificate bench-digests campaign-service bench-api

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
	node_modules/.bin/forge fmt --check tests/contracts/forge

types:
	.venv/bin/mypy

imports:
	.venv/bin/lint-imports

generated:
	$(PY) scripts/generate_vectors.py --check
	$(PY) scripts/generate_reference.py --check
	$(PY) scripts/generate_client.py --check
	$(PY) scripts/generate_report_schema.py --check

# kill -9 at every boundary of a piece of evidence's way; nothing may be lost or doubled.
campaign-resume:
	$(PY) -m tests.faults.resume

# Two APIs and two workers on one database, killed at random under load; nothing acknowledged may be lost.
campaign-service:
	$(PY) -m tests.faults.service_campaign

# Backup under load, everything wiped, restored; what was acknowledged before and is not there is counted.
campaign-restore:
	$(PY) -m tests.faults.restore

# kill -9 against both object stores, and the lock of a real S3 server; needs radosgw, ceph-mon and ceph-osd.
campaign-objects:
	$(PY) -m tests.ports.campaign

# 10,000 submissions, four workers, random faults, kills and reorganisations; everything is counted at the end.
campaign-chain:
	$(PY) -m tests.faults.chain_campaign

# Every forgery and every single byte, against both implementations of the verification.
campaign-forgeries:
	$(PY) -m tests.forgeries.campaign

# 10,000 requests of every kind against the running API: what its document says is what it does.
campaign-api:
	$(PY) -m tests.api.campaign

# Every way to lead a capture to an address it must not reach, in a network where each address exists.
campaign-ssrf:
	$(PY) -m tests.capture.ssrf_campaign

# Branch coverage of the parts that judge; anything below 100 % fails. No time limit for a test: raised inside the
# tracer it would leave the tracer's lock held, and the next test waits for that without end.
coverage:
	rm -f .setup/coverage*
	.venv/bin/coverage run -m pytest -q --timeout 0 tests/unit/core tests/unit/verify tests/unit/cli tests/unit/timestamp tests/unit/anchor tests/forgeries tests/golden
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

# The contract's properties at length, and faults planted in it that they have to find.
fuzz-contract:
	$(PY) -m tests.contracts.fuzz

# Static analysis of the contract; every finding is explained in contracts/analysis/accepted.json.
slither:
	$(PY) scripts/analyse_contract.py

# Large and hostile files examined: 10 s and 512 MB each.
bench-examine:
	$(PY) -m bench.examining

# What anchoring costs in gas; --write renews docs/reference/gas.md.
bench-gas:
	$(PY) -m bench.gas

# A million entries, tree and all proofs, beside three other implementations in the same run; five minutes.
bench-merkle:
	$(PY) -m bench.merkle

# Manifests of digests that are registered by the thousand, beside manifests made one by one.
bench-digests:
	$(PY) -m bench.digest_manifests

# Digests registered over HTTP beside a bare FastAPI handler, and found among a million; ten minutes.
bench-api:
	$(PY) -m bench.api

# What it takes to bring batches to a chain: time, requests, bytes, signatures.
bench-sending:
	$(PY) -m bench.sending

# django-oscar behind nginx, captured and certified; every byte beside the web server's own log.
live-capture:
	$(PY) -m tests.live.capture

# Every fixture page captured for real: outcome, facts, served bytes against recorded bytes, and the packages.
campaign-capture:
	$(PY) -m tests.capture.campaign

# What recording costs: memory and time for 200 MB, beside a direct download in the same run.
bench-recorder:
	$(PY) -m bench.recorder

# A whole capture beside bare Playwright on the same page, in the same run.
bench-capture:
	$(PY) -m bench.capture

# How fast captures are accepted: in lists and one by one, and one by one behind thousands.
bench-ordering:
	$(PY) -m bench.ordering

# Servers of many makes; what is recorded beside what Wireshark's programs reassemble from the packets.
live-wire:
	$(PY) -m tests.live.wire

# What a seal of level B-LTA takes, beside pyHanko's own in the same run.
bench-sealing:
	$(PY) -m bench.sealing

# Certificates of every edition and every kind of record before other people's judges; needs a JRE and PDFBox.
campaign-certificate:
	$(PY) -m tests.certificate.campaign

# What a certificate of ten pages takes, and whether a hundred of them take more and more memory.
bench-certificate:
	$(PY) -m bench.certificate

# What one piece of evidence takes of database and object store; docs/explanation/sizing.md reckons with it.
bench-footprint:
	$(PY) -m bench.footprint
