"""The demonstration seal: its keys stay, its certificate names the list of the run, and the list is published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from evidence_service.egress.http import exchange
from evidence_service.errors import UnavailableError
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.seal_pki import DemoSealFiles, ensure_demo_seal
from evidence_service.timestamp.revocation import distribution_points
from evidence_service.verify import crl


def certificate(files: DemoSealFiles) -> x509.Certificate:
    stored = load_pkcs12(files.pkcs12.read_bytes(), files.password_file.read_bytes())
    assert stored.cert is not None
    return stored.cert.certificate


def test_keys_stay_and_the_certificate_names_the_list_of_the_run(tmp_path: Path) -> None:
    first = ensure_demo_seal(tmp_path / "seal")
    assert distribution_points(certificate(first)) == []
    named = ensure_demo_seal(tmp_path / "seal", list_url="http://127.0.0.1:1/seal.crl")
    assert distribution_points(certificate(named)) == ["http://127.0.0.1:1/seal.crl"]
    assert certificate(ensure_demo_seal(tmp_path / "seal")) == certificate(named)
    assert certificate(named).public_key() == certificate(first).public_key()
    assert named.root_der == first.root_der
    for name in ("seal.p12", "seal.password", "seal.key", "root.key"):
        assert (tmp_path / "seal" / name).stat().st_mode & 0o077 == 0


def test_a_start_that_was_killed_is_made_again(tmp_path: Path) -> None:
    first = ensure_demo_seal(tmp_path / "seal")
    (tmp_path / "seal" / "root.key").unlink()
    again = ensure_demo_seal(tmp_path / "seal")
    assert again.root_der != first.root_der
    certificate(again).verify_directly_issued_by(x509.load_der_x509_certificate(again.root_der))


def test_the_list_is_published_and_revokes_nobody(
    tmp_path: Path, running_authorities: DemoAuthorities
) -> None:
    made = ensure_demo_seal(tmp_path / "seal")
    url = running_authorities.publish("seal", made.list_der)
    files = ensure_demo_seal(tmp_path / "seal", list_url=url)
    found = crl.read(exchange(url, limit=10_000).body)
    path = (certificate(files), x509.load_der_x509_certificate(files.root_der))
    assert crl.revoked(found, path, at=datetime.now(UTC)) == []
    for elsewhere in ("tsa.key", "../openssl/root.key", "absent.crl"):
        with pytest.raises(UnavailableError, match="HTTP 404"):
            exchange(url.replace("seal.crl", elsewhere), limit=10_000)
