"""``make bench-sealing``: what a seal takes, with real authorities that publish their lists on this machine.

* ``lta_s``: a certificate of 3 MB sealed at PAdES B-LTA, the median; ``first_s``: the first time, with
  nothing loaded and no list known yet; ``extend_s``: one extension of it;
* ``bt_s``: the same at B-T; ``library_s``: pyHanko's own B-LTA in the same run, with the same authority;
* ``lta_kb``, ``extension_kb``: what seal and extension add to the file.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from asn1crypto import x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps.requests_client import HTTPTimeStamper
from pyhanko_certvalidator import ValidationContext

from evidence_service.certificate.sealing import extend, seal
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.egress.http import guarded
from evidence_service.egress.policy import EgressPolicy, parse_exception
from evidence_service.processes import free_port
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.seal_pki import DemoSealFiles, ensure_demo_seal
from evidence_service.service.validation_data import PublishedLists
from evidence_service.timestamp.tsa import Authorities, Authority
from tests.forgeries.world import plain

LIMIT = 1.5
"""Seconds that a seal of level B-LTA may take."""


def now() -> datetime:
    return datetime.now(UTC)


class Bench:
    """The parts of an installation that seal."""

    def __init__(self, demo: DemoAuthorities, files: DemoSealFiles) -> None:
        policy = EgressPolicy(
            exceptions=frozenset(parse_exception(urlsplit(item.url).netloc) for item in demo.authorities)
        )
        self.demo, self.files = demo, files
        members = [Authority(item.name, item.url, (item.root_der,)) for item in demo.authorities]
        self.asked = Authorities(members, minimum=1, publishers=guarded(policy))
        self.key = Pkcs12Key(files.pkcs12, files.password_file.read_text())
        self.revocation = PublishedLists(
            self.asked.lists,
            seal_roots=[files.root_der],
            authority_roots=[item.root_der for item in demo.authorities],
            now=now,
        )

    def stamp(self, digest: bytes) -> bytes:
        nonce = lambda: int.from_bytes(os.urandom(8))  # noqa: E731
        return self.asked.stamp(digest, nonce=nonce, now=now).tokens[0].der

    def seal(self, pdf: bytes, level: str) -> bytes:
        done = seal(
            pdf, self.key, level=level, stamp=self.stamp, revocation=self.revocation, reason="Certificate"
        )
        assert done.level == level
        return done.pdf

    def extend(self, pdf: bytes) -> bytes:
        return extend(pdf, stamp=self.stamp, revocation=self.revocation).pdf

    def library(self, pdf: bytes) -> bytes:
        """pyHanko alone: its own requests, its own lists, its own judgement before."""
        roots = [x509.Certificate.load(item.root_der) for item in self.demo.authorities]
        context = ValidationContext(
            trust_roots=[*roots, x509.Certificate.load(self.files.root_der)],
            allow_fetching=True,
            revocation_mode="require",
        )
        signer = signers.SimpleSigner.load_pkcs12(
            str(self.files.pkcs12), passphrase=self.files.password_file.read_bytes()
        )
        metadata = signers.PdfSignatureMetadata(
            field_name="Seal",
            md_algorithm="sha512",
            subfilter=fields.SigSeedSubFilter.PADES,
            certify=True,
            validation_context=context,
            embed_validation_info=True,
            use_pades_lta=True,
        )
        output = io.BytesIO()
        signers.sign_pdf(
            IncrementalPdfFileWriter(io.BytesIO(pdf)),
            metadata,
            signer=signer,
            timestamper=HTTPTimeStamper(self.demo.authorities[0].url),
            output=output,
        )
        return output.getvalue()


def timed(function: Callable[[], bytes]) -> tuple[float, bytes]:
    start = time.perf_counter()
    made = function()
    return time.perf_counter() - start, made


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="bench-sealing-") as name:
        directory = Path(name)
        demo = DemoAuthorities(directory / "tsa", certomancer_port=free_port(), openssl_port=free_port())
        try:
            made = ensure_demo_seal(directory / "seal")
            url = demo.publish("seal", made.list_der)
            bench = Bench(demo, ensure_demo_seal(directory / "seal", list_url=url))
            pdf = plain({"screenshot.bin": os.urandom(3 * 1024 * 1024)})
            first, sealed = timed(lambda: bench.seal(pdf, "PAdES B-LTA"))
            bench.library(pdf)
            runs: dict[str, list[float]] = {"lta_s": [], "bt_s": [], "extend_s": [], "library_s": []}
            for _ in range(rounds):
                runs["lta_s"].append(timed(lambda: bench.seal(pdf, "PAdES B-LTA"))[0])
                runs["bt_s"].append(timed(lambda: bench.seal(pdf, "PAdES B-T"))[0])
                runs["library_s"].append(timed(lambda: bench.library(pdf))[0])
                seconds, extended = timed(lambda: bench.extend(sealed))
                runs["extend_s"].append(seconds)
        finally:
            demo.stop()
    medians = {name: statistics.median(values) for name, values in runs.items()}
    words = " ".join(f"{name}={value:.3f}" for name, value in medians.items())
    print(
        f"RESULT sealing first_s={first:.3f} {words} "
        f"worst_lta_s={max(runs['lta_s']):.3f} "
        f"lta_kb={(len(sealed) - len(pdf)) / 1024:.0f} "
        f"extension_kb={(len(extended) - len(sealed)) / 1024:.0f}"
    )
    return 0 if medians["lta_s"] <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
