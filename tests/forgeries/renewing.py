"""Time stamps of bundle version 2: with revocation lists, and renewed; every part can be exchanged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_service.core import merkle, renewal
from tests.forgeries.chain import text
from tests.forgeries.keys import EPOCH, Authority, Issuer, authority, certify, key, later

SHA3_512 = "sha3_512"
ENDS = timedelta(days=365)
"""When the signers of the first time stamps end, from the epoch on, where evidence is to be renewed."""
MIDDLE_ENDS = timedelta(days=1000)


def revocation_list(
    issuer: Issuer,
    *revoked: tuple[x509.Certificate, datetime, x509.ReasonFlags | None],
    at: datetime = EPOCH,
    signer: Issuer | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    entry_extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    """DER of a list of an issuer.

    Args:
        revoked: certificate, date, reason of each entry.
        signer: whose key signs, when not the issuer's.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at)
        .next_update(at + timedelta(days=7))
    )
    for certificate, date, reason in revoked:
        entry = x509.RevokedCertificateBuilder(certificate.serial_number, date)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        for extension, critical in entry_extensions:
            entry = entry.add_extension(extension, critical=critical)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    chosen = (signer or issuer).key
    return builder.sign(chosen, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


def collected(*lists: bytes) -> dict[str, Any]:
    """A member ``revocation`` with lists, or one that says that there are none."""
    if not lists:
        return {"status": "absent", "why": "the authority names no list"}
    return {"status": "collected", "crls": [text(item) for item in lists]}


@cache
def until(name: str, kind: str, digest: str, ends: timedelta) -> Authority:
    """An authority whose signer's certificate ends at a time after the epoch; its root is the usual one."""
    usual = authority(name, kind, digest)
    own = f"{name} signer until {ends.days}"
    valid = (datetime(2020, 1, 1, tzinfo=EPOCH.tzinfo), EPOCH + ends)
    signer = certify(own, key(own, kind), usual.root, stamping=True, valid=valid)
    return Authority(name, usual.root, signer, digest=digest)


@dataclass
class Renewing:
    """A renewal about to be made; what is left out is as it should be.

    Attributes:
        leaves: entries of its tree, and ``index`` among them.
        covered: bytes covered instead of those of the bundle.
        document: members of the document that differ.
        info: members of the tokens' TSTInfo that differ.
        lists: whether revocation lists go with the tokens.
    """

    makers: tuple[Authority, ...]
    at: datetime
    kind: str = "timestamp"
    suite: str = "sha3-256-rfc9162"
    leaves: int = 5
    index: int = 3
    lists: bool = True
    covered: bytes | None = None
    document: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def renew(self, value: dict[str, Any]) -> None:
        """Append it to the value of a bundle."""
        algorithm = renewal.ALGORITHMS[self.suite]
        covered = self.covered or renewal.covered(value, self.kind, value["renewals"])
        entry = renewal.entry(covered, bytes.fromhex(value["salt"]))
        others = [hashlib.sha256(b"renewal leaf %d" % number).digest() for number in range(self.leaves)]
        others[self.index] = merkle.leaf_hash(entry, algorithm)
        tree = merkle.MerkleTree(others, algorithm)
        members = {
            "format": renewal.FORMAT,
            "kind": self.kind,
            "suite": self.suite,
            "size": tree.size,
            "root": tree.root.hex(),
            **self.document,
        }
        value["renewals"].append(
            {
                "document": members,
                "inclusion": {
                    "index": self.index,
                    "size": tree.size,
                    "path": [node.hex() for node in tree.path(self.index)],
                },
                "timestamps": [self._stamp(maker, members) for maker in self.makers],
            }
        )

    def _stamp(self, maker: Authority, members: dict[str, Any]) -> dict[str, Any]:
        data = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        info = dict(self.info)
        imprint = hashlib.sha512(data).digest()
        if self.kind == "hash_tree":
            imprint = hashlib.sha3_512(data).digest()
            info = {"message_imprint": imprint_of(SHA3_512, imprint), **info}
        token = maker.token(imprint, self.at, info=info)
        lists = (revocation_list(maker.root, at=self.at),) if self.lists else ()
        return {"token": text(token), "revocation": collected(*lists)}


def imprint_of(algorithm: str, digest: bytes) -> dict[str, Any]:
    """A message imprint of TSTInfo."""
    return {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest}


def day(number: float) -> datetime:
    """A moment so many days after the epoch of this world."""
    return later(days=number)
