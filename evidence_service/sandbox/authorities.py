"""Two local RFC 3161 authorities of different make: certomancer and OpenSSL. Demonstration, never evidence.

Their keys are made on the first start and kept, so that roots stay the same from run to run. Both publish the
revocation list of their root on the port of the run, which their certificates of the run name.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence_service.errors import UnavailableError
from evidence_service.processes import ManagedProcess, accepts_connections
from evidence_service.sandbox.demo_certificates import (
    LIFETIME,
    ORGANISATION,
    certificate_builder,
    demo_name,
    distribution_point,
    empty_list,
    key_usage,
    new_key,
    read_key,
    write_key,
)


@dataclass(frozen=True, slots=True)
class DemoAuthority:
    """One authority: its name, the URL that takes requests, its root certificate."""

    name: str
    url: str
    root_der: bytes


class DemoAuthorities:
    """Both authorities, running.

    Args:
        directory: keeps keys, certificates and logs; created when absent.

    Raises:
        UnavailableError: one did not start.
    """

    def __init__(self, directory: Path, *, certomancer_port: int, openssl_port: int) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._processes: list[ManagedProcess] = []
        self._lists = directory / "openssl"
        try:
            self.authorities = (
                self._start_certomancer(directory / "certomancer", certomancer_port),
                self._start_openssl(directory / "openssl", openssl_port),
            )
        except BaseException:
            self.stop()
            raise

    def publish(self, name: str, revocation_list: bytes) -> str:
        """Publish another issuer's revocation list beside those of the authorities; returns its address."""
        (self._lists / f"{name}.crl").write_bytes(revocation_list)
        return f"{self.authorities[1].url}{name}.crl"

    def stop(self) -> None:
        """End both."""
        for process in self._processes:
            process.stop()

    def _start_certomancer(self, directory: Path, port: int) -> DemoAuthority:
        config = directory / "certomancer.yml"
        if not config.exists():
            _make_certomancer(directory, config)
        _publish_certomancer(config, port)
        program = [sys.executable, "-m", "certomancer", "--config", str(config)]
        root = subprocess.run([*program, "summon", "demo", "root"], capture_output=True, check=False)
        if root.returncode:
            raise UnavailableError(f"certomancer cannot make its root: {root.stderr.decode()[-300:]}")
        self._run(
            "certomancer",
            [*program, "animate", "--no-web-ui", "--no-time-override", "--port", str(port)],
            directory,
            port,
        )
        der = x509.load_pem_x509_certificate(root.stdout).public_bytes(Encoding.DER)
        return DemoAuthority("Demonstration TSA A", f"http://127.0.0.1:{port}/demo/tsa/tsa", der)

    def _start_openssl(self, directory: Path, port: int) -> DemoAuthority:
        if not (directory / "root.key").exists():
            _make_openssl(directory)
        _publish_openssl(directory, port)
        self._run(
            "openssl-ts",
            [
                sys.executable,
                "-m",
                "evidence_service.sandbox.openssl_tsa",
                "--directory",
                str(directory),
                "--port",
                str(port),
            ],
            directory,
            port,
        )
        der = x509.load_pem_x509_certificate((directory / "root.crt").read_bytes()).public_bytes(Encoding.DER)
        return DemoAuthority("Demonstration TSA B", f"http://127.0.0.1:{port}/", der)

    def _run(self, name: str, argv: list[str], directory: Path, port: int) -> None:
        process = ManagedProcess(name, argv, log=directory / f"{name}.log")
        self._processes.append(process)
        process.wait_until(lambda: accepts_connections(port))


def _make_certomancer(directory: Path, config: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("root", "tsa"):
        write_key(directory / f"{name}.key", new_key())
    now = datetime.now(UTC)
    validity = {
        "valid-from": (now - timedelta(days=1)).strftime(_CERTOMANCER_TIME),
        "valid-to": (now + LIFETIME).strftime(_CERTOMANCER_TIME),
    }
    _write_certomancer(config, validity, 0)


def _publish_certomancer(config: Path, port: int) -> None:
    """Write the port of this run into the configuration: certificates name the list's address."""
    certificates = yaml.safe_load(config.read_text())["pki-architectures"]["demo"]["certs"]
    _write_certomancer(config, certificates["root"]["validity"], port)


def _write_certomancer(config: Path, validity: Mapping[str, str], port: int) -> None:
    temporary = config.with_suffix(".new")
    temporary.write_text(yaml.safe_dump(_certomancer_config(validity, port), sort_keys=False))
    temporary.replace(config)


def _certomancer_config(validity: Mapping[str, str], port: int) -> dict[str, Any]:
    def entity(name: str) -> dict[str, str]:
        return {"common-name": name, "organization-name": ORGANISATION}

    def usage(*bits: str) -> dict[str, Any]:
        value = {"schema": "key-usage", "params": list(bits)}
        return {"id": "key_usage", "critical": True, "smart-value": value}

    lists = {"schema": "crl-dist-url", "params": {"crl-repo-names": ["crls"]}}
    constraints = {"id": "basic_constraints", "critical": True, "value": {"ca": True}}
    stamping = {"id": "extended_key_usage", "critical": True, "value": ["time_stamping"]}
    return {
        "external-url-prefix": f"http://127.0.0.1:{port}",
        "keysets": {
            "demo": {"path-prefix": ".", "keys": {"root": {"path": "root.key"}, "tsa": {"path": "tsa.key"}}}
        },
        "pki-architectures": {
            "demo": {
                "keyset": "demo",
                "entities": {
                    "root": entity("Demonstration root A, not evidence"),
                    "tsa": entity("Demonstration TSA A (certomancer)"),
                    "withdrawn": entity("Demonstration TSA A (withdrawn)"),
                },
                "certs": {
                    "root": {
                        "subject": "root",
                        "issuer": "root",
                        "validity": dict(validity),
                        "extensions": [constraints, usage("key_cert_sign", "crl_sign")],
                    },
                    "tsa": {
                        "subject": "tsa",
                        "issuer": "root",
                        "validity": dict(validity),
                        "extensions": [
                            usage("digital_signature"),
                            stamping,
                            {"id": "crl_distribution_points", "smart-value": lists},
                        ],
                    },
                    # The list has an entry: certomancer writes an empty one as RFC 5280 does not allow it.
                    "withdrawn": {
                        "subject": "withdrawn",
                        "subject-key": "tsa",
                        "issuer": "root",
                        "validity": dict(validity),
                        "revocation": {"revoked-since": validity["valid-from"], "reason": "key_compromise"},
                    },
                },
                "services": {
                    "time-stamping": {"tsa": {"signing-cert": "tsa", "digest-algo": "sha512"}},
                    "crl-repo": {"crls": {"for-issuer": "root", "simulated-update-schedule": "P30D"}},
                },
            }
        },
    }


_CERTOMANCER_TIME = "%Y-%m-%dT%H:%M:%S+0000"

_OPENSSL_CONFIG = """\
[tsa]
default_tsa = demo
[demo]
serial = {directory}/serial
signer_cert = {directory}/tsa.crt
signer_key = {directory}/tsa.key
signer_digest = sha512
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256, sha384, sha512, sha3-512
accuracy = secs:1
ess_cert_id_alg = sha256
"""
# 1.3.6.1.4.1.32473 is the private enterprise number reserved for examples (RFC 5612).


def _make_openssl(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    root_key, name = new_key(), demo_name("Demonstration root B, not evidence")
    root = (
        certificate_builder(name, name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    write_key(directory / "tsa.key", new_key())
    (directory / "root.crt").write_bytes(root.public_bytes(Encoding.PEM))
    (directory / "openssl.cnf").write_text(_OPENSSL_CONFIG.format(directory=directory))
    (directory / "serial").write_text("01\n")
    # Last: a start that was killed before is made again.
    write_key(directory / "root.key", root_key)


def _publish_openssl(directory: Path, port: int) -> None:
    """The signer's certificate, naming the list at the port of this run, and the list: empty, for a month."""
    root = x509.load_pem_x509_certificate((directory / "root.crt").read_bytes())
    root_key, key = read_key(directory / "root.key"), read_key(directory / "tsa.key")
    leaf = (
        certificate_builder(demo_name("Demonstration TSA B (OpenSSL)"), root.subject, key.public_key())
        .add_extension(key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(distribution_point(f"http://127.0.0.1:{port}/root.crl"), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    (directory / "tsa.crt").write_bytes(leaf.public_bytes(Encoding.PEM))
    (directory / "root.crl").write_bytes(empty_list(root.subject, root_key))
