#!/usr/bin/env python3
"""Make the sample certificates and forms in ``docs/samples`` from what ``./scripts/demo`` left in a folder.

    ./scripts/demo --output demo-output
    .venv/bin/python scripts/make_samples.py demo-output

One certificate for each jurisdiction, in the language that prevails there and in both, and one filled form
of each kind, all about the first listing of the demonstration, sealed at PAdES B-LTA by a demonstration
issuer and marked as demonstration on every page; a picture of each first page; ``trust.json``, with which
they verify; and ``README.md``, which lists them.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from evidence_service.certificate.edition import editions, parse_edition
from evidence_service.certificate.facts import CertificateFacts, Issuer, Preserved, certificate_facts
from evidence_service.certificate.forms import Declarant, form_pdf, forms
from evidence_service.certificate.render import render
from evidence_service.certificate.sealing import seal
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.core import bundle
from evidence_service.core.digest import digest_of
from evidence_service.egress.http import guarded
from evidence_service.egress.policy import EgressPolicy, parse_exception
from evidence_service.processes import free_port
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.contact_sheet import page_pictures
from evidence_service.sandbox.seal_pki import ensure_demo_seal
from evidence_service.service.validation_data import PublishedLists
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.policy import parse
from evidence_service.verify.verifier import verify

ROOT = Path(__file__).parents[1]
LEVEL = "PAdES B-LTA"
ISSUER = Issuer(
    "Demonstration issuer, no evidence",
    "none",
    "The issuer runs chain, authorities and marketplace of this demonstration itself.",
    "none",
)
PERSON = "Alex Example"


class Sealer:
    """A demonstration issuer with authorities that publish their lists on this machine."""

    def __init__(self, directory: Path) -> None:
        self._demo = DemoAuthorities(
            directory / "tsa", certomancer_port=free_port(), openssl_port=free_port()
        )
        url = self._demo.publish("seal", ensure_demo_seal(directory / "seal").list_der)
        files = ensure_demo_seal(directory / "seal", list_url=url)
        members = self._demo.authorities
        policy = EgressPolicy(
            exceptions=frozenset(parse_exception(urlsplit(item.url).netloc) for item in members)
        )
        asked = [Authority(item.name, item.url, (item.root_der,)) for item in members]
        self._authorities = Authorities(asked, minimum=1, publishers=guarded(policy))
        self._key = Pkcs12Key(files.pkcs12, files.password_file.read_text())
        self._revocation = PublishedLists(
            self._authorities.lists,
            seal_roots=[files.root_der],
            authority_roots=[item.root_der for item in members],
            now=_now,
        )
        self.root = files.root_der
        self.authorities = [(item.name, item.root_der) for item in members]

    def seal(self, pdf: bytes, number: str) -> bytes:
        """The PDF with a seal of the level the samples print."""
        done = seal(
            pdf,
            self._key,
            level=LEVEL,
            stamp=self._stamp,
            revocation=self._revocation,
            reason=f"Certificate {number}",
        )
        if done.level != LEVEL:
            raise click.ClickException(f"the seal is {done.level}, and the samples print {LEVEL}")
        return done.pdf

    def stop(self) -> None:
        """End the authorities."""
        self._demo.stop()

    def _stamp(self, digest: bytes) -> bytes:
        found = self._authorities.stamp(digest, nonce=lambda: int.from_bytes(os.urandom(8)), now=_now)
        return found.tokens[0].der


def _now() -> datetime:
    return datetime.now(UTC)


@click.command()
@click.argument("demo", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--output", type=click.Path(path_type=Path), default=ROOT / "docs" / "samples", show_default=True
)
def main(demo: Path, output: Path) -> None:
    """Make all samples from the output of the demonstration in DEMO."""
    output.mkdir(parents=True, exist_ok=True)
    for old in output.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="samples-") as name:
        sealer = Sealer(Path(name))
        try:
            rows = [*_certificates(demo, output, sealer), *_forms(demo, output)]
            _write_trust(demo, output, sealer)
        finally:
            sealer.stop()
    (output / "README.md").write_text(_readme(rows), encoding="utf-8")


def _facts(demo: Path, code: str, number: str) -> CertificateFacts:
    """Facts of the first listing's certificate, with the top of the page as its only picture."""
    data = sorted((demo / "bundles").glob("*.json"))[0].read_bytes()
    value = bundle.parse(data)
    folders = sorted((demo / "captures").iterdir())
    files = {path: path.read_bytes() for path in folders[0].rglob("*") if path.is_file()}
    contents = {hashlib.sha256(content).hexdigest(): content for content in files.values()}
    given = [
        EvidenceFile(str(path.relative_to(folders[0])), digest_of(content)) for path, content in files.items()
    ]
    report = verify(
        Material("sample", bundle=data, files=given),
        parse((demo / "trust.json").read_bytes()),
        now=_now(),
    )
    found = certificate_facts(
        report,
        Preserved(data, contents.__getitem__),
        number=number,
        issued_at=datetime.fromisoformat(value["manifest"]["finished_at"]),
        issuer=ISSUER,
        edition=parse_edition(code),
        level=LEVEL,
    )
    # The other pictures are named and left out, so that a sample stays small.
    kept = [shot for shot in found.screenshots if shot.role == "screenshot.after_consent"]
    left = [
        {"path": shot.path, "sha256": hashlib.sha256(shot.data).hexdigest()}
        for shot in found.screenshots
        if shot not in kept
    ]
    # Points that describe whichever machine the demonstration ran on.
    environment = [
        {**point, "value": "left out of the samples"} if point["number"] in (1, 9) else point
        for point in found.values["environment"]
    ]
    values = {
        **found.values,
        "unprinted": [*found.values["unprinted"], *left],
        "environment": environment,
    }
    return CertificateFacts(values, tuple(kept), found.attachments, found.issued_at)


def _certificates(demo: Path, output: Path, sealer: Sealer) -> Iterable[tuple[str, str, int]]:
    chosen = [item for item in editions() if item.definition["prevails"] in item.languages]
    for position, edition in enumerate(chosen, start=1):
        number = f"SAMPLE-2026-{position:06}"
        pdf = sealer.seal(render(_facts(demo, edition.code, number)), number)
        yield _write(
            output / f"certificate-{edition.code.replace(':', '-')}.pdf", pdf, f"edition `{edition.code}`"
        )


def _forms(demo: Path, output: Path) -> Iterable[tuple[str, str, int]]:
    for form in forms():
        found = _facts(demo, "generic:en+zh", "SAMPLE-2026-000009")
        events = found.values["custody"]
        person = events[0]["actor"]["id"]
        declarant = Declarant(person, PERSON, [item for item in events if item["actor"]["id"] == person])
        pdf = form_pdf(form, found, declarant, certificate_sha256="0" * 64)
        yield _write(output / f"form-{form.name}.pdf", pdf, f"form `{form.name}`, filled, unsigned")


def _write(path: Path, pdf: bytes, what: str) -> tuple[str, str, int]:
    """Write a PDF and a picture of its first page; name, what it is and how many pages it has."""
    path.write_bytes(pdf)
    pictures = page_pictures(path, dpi=60)
    pictures[0].quantize(48).save(path.with_suffix(".png"), optimize=True)
    return path.name, what, len(pictures)


def _write_trust(demo: Path, output: Path, sealer: Sealer) -> None:
    """The demonstration's trust file, and the issuer of these seals in it."""
    trust = json.loads((demo / "trust.json").read_text())
    vouched = lambda name, root: {  # noqa: E731
        "name": name,
        "roots": [b64encode(root).decode()],
        "demonstration": True,
    }
    trust["name"] = "Samples: demonstration, not evidence"
    trust["seal_issuers"] = [vouched("Demonstration issuer of the samples", sealer.root)]
    trust["authorities"]["trusted"] += [vouched(f"{name}, seals", root) for name, root in sealer.authorities]
    (output / "trust.json").write_text(json.dumps(trust, indent=1) + "\n")


_INTRODUCTION = """# Samples

Demonstration, not evidence: chain, authorities, issuer and marketplace belong to the demonstration, and
every page says so. All are about one listing that does not exist. Each certificate verifies:

```sh
S=docs/samples
.venv/bin/evidence verify --offline --trust $S/trust.json $S/certificate-us-en.pdf
```

Made by `scripts/make_samples.py`. To stay small they print one picture of the page only, and say
nothing of the machine of the demonstration; the languages that do not prevail in a jurisdiction are
left out.

| File | What | Pages | First page |
|---|---|---|---|
"""


def _readme(rows: Iterable[tuple[str, str, int]]) -> str:
    lines = [
        f"| [{name}]({name}) | {what} | {pages} | ![]({Path(name).with_suffix('.png')}) |"
        for name, what, pages in rows
    ]
    return _INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
