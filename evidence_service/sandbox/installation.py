"""A whole installation for demonstrations and tests: chain, authorities, marketplace, keys, settings, trust.

Everything it vouches for is a demonstration, never evidence; its trust file and its settings say so.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from eth_account import Account

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.egress.policy import parse_exception
from evidence_service.errors import ConfigurationError
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import AnvilChain
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.devchain import ACCOUNTS, DevChain
from evidence_service.sandbox.marketplace import Marketplace
from evidence_service.sandbox.seal_pki import ensure_demo_seal
from evidence_service.verify.chain import BlockHeader
from evidence_service.verify.policy import FORMAT

ChainKind = Literal["ganache", "anvil"]

_SCRYPT_ROUNDS = 4096
"""Enough for a key that is public anyway; production keystores keep their library's default."""


class DemoInstallation:
    """Runs while the ``with`` block lasts; keys and chain stay in the directory for the next time.

    Args:
        directory: keeps everything; created when absent.
        ganache: path of the ``ganache`` executable.
        anvil: path of the ``anvil`` executable; needed when it is among the chains.
        chains: which chains every batch is anchored on.
        listeners: ``host:port`` that webhooks may be sent to although they are not public.

    Raises:
        ConfigurationError: a listener is not such a text.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ganache: Path,
        anvil: Path | None = None,
        chains: Sequence[ChainKind] = ("ganache",),
        listeners: Sequence[str] = (),
    ) -> None:
        self.directory = directory.absolute()
        self.settings_file = self.directory / "settings.json"
        self.trust_file = self.directory / "trust.json"
        self.api_port = free_port()
        self._ganache = ganache
        self._anvil = anvil
        self._kinds = tuple(chains)
        self._listeners = tuple(listeners)
        for listener in listeners:
            parse_exception(listener)
        self._started: list[DevChain | AnvilChain | DemoAuthorities | Marketplace] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything that was started, last first."""
        while self._started:
            self._started.pop().stop()

    def _start(self) -> None:
        self.chains = {}
        for kind in self._kinds:
            started = self._start_chain(kind)
            self._started.append(started)
            self.chains[started.chain_id] = started
        self.authorities = DemoAuthorities(
            self.directory / "authorities", certomancer_port=free_port(), openssl_port=free_port()
        )
        self._started.append(self.authorities)
        seal = ensure_demo_seal(self.directory / "seal")
        ensure_demo_seal(self.directory / "seal", list_url=self.authorities.publish("seal", seal.list_der))
        self.marketplace = Marketplace()
        self._started.append(self.marketplace)
        self.contract = contract.expected_address()
        for chain in self.chains.values():
            self._deploy(chain)
        self.api_key = self._secret("api.key")
        self.write_trust()
        self._write(self.settings_file, self._settings())

    def _start_chain(self, kind: ChainKind) -> DevChain | AnvilChain:
        if kind == "ganache":
            return DevChain(self.directory / "chain", free_port(), ganache=self._ganache)
        if self._anvil is None:
            raise ConfigurationError("no anvil is named", what_to_do="give the path of its executable")
        # A block a second, final two blocks later: as on a real chain, but in seconds.
        return AnvilChain(
            self.directory / "anvil",
            free_port(),
            anvil=self._anvil,
            mining="interval",
            block_time=1.0,
            slots_in_an_epoch=1,
            state=self.directory / "anvil" / "state.json",
        )

    def _deploy(self, chain: DevChain | AnvilChain) -> None:
        node = Node([chain.rpc_url], chain.chain_id)
        try:
            contract.deploy_if_absent(node, LocalSigner(chain.accounts[0].private_key))
        finally:
            node.close()

    def write_trust(self, anchors: Iterable[Mapping[str, Any]] = ()) -> None:
        """Write the trust file that knows this installation's authorities, seal and chains.

        Args:
            anchors: of proof bundles; their blocks become checkpoints, for verification without a node.
        """

        def voucher(name: str, root: bytes) -> dict[str, Any]:
            return {"name": name, "roots": [base64.b64encode(root).decode()], "demonstration": True}

        seal = ensure_demo_seal(self.directory / "seal")
        known: dict[int, dict[int, str]] = {chain_id: {} for chain_id in self.chains}
        for anchor in anchors:
            header = BlockHeader.parse(base64.b64decode(anchor["header"]))
            known[int(anchor["chain_id"])][header.number] = "0x" + header.hash.hex()
        self._write(
            self.trust_file,
            {
                "format": FORMAT,
                "name": "Demonstration, not evidence",
                "authorities": {
                    "minimum": 2,
                    "trusted": [voucher(item.name, item.root_der) for item in self.authorities.authorities],
                },
                "seal_issuers": [voucher("Demonstration seal, not evidence", seal.root_der)],
                "chains": [
                    {
                        "name": f"Local development chain {chain_id}, not evidence",
                        "chain_id": str(chain_id),
                        "contract": self.contract,
                        "code_hash": contract.code_hash(),
                        "checkpoints": [
                            {"number": str(number), "hash": value} for number, value in sorted(points.items())
                        ],
                    }
                    for chain_id, points in known.items()
                ],
            },
        )

    def _settings(self) -> dict[str, Any]:
        seal = ensure_demo_seal(self.directory / "seal")
        return {
            "data_directory": str(self.directory / "data"),
            "purpose": "demonstration",
            # The marketplace, and the authorities: their certificates name them for revocation lists.
            "egress_exceptions": [
                f"127.0.0.1:{self.marketplace.port}",
                *(urlsplit(item.url).netloc for item in self.authorities.authorities),
                *self._listeners,
            ],
            "authorities": [
                {"name": item.name, "url": item.url, "root": str(self._root(number, item.root_der))}
                for number, item in enumerate(self.authorities.authorities, start=1)
            ],
            "authorities_minimum": 2,
            "chains": [
                {
                    "name": f"development chain {chain.chain_id}",
                    "chain_id": chain.chain_id,
                    "rpc_urls": [chain.rpc_url],
                    "contract": self.contract,
                    "signers": [
                        {
                            "kind": "keystore",
                            "path": str(self._keystore()),
                            "password_file": str(self.directory / "keystore.password"),
                        }
                    ],
                }
                for chain in self.chains.values()
            ],
            "seal": {
                "level": "PAdES B-LTA",
                "pkcs12": str(seal.pkcs12),
                "password_file": str(seal.password_file),
            },
            "issuer": {
                "name": "Demonstration issuer, not evidence",
                "registration": "none: a demonstration",
                "independence": "none: issuer, applicant and marketplace run on one machine",
                "filings": "none",
            },
            "trust_file": str(self.trust_file),
            "certificate_prefix": "DEMO",
            "batch_seconds": 2,
            "api_port": self.api_port,
            "api_keys": [
                {"actor": "demo-agent", "sha256": hashlib.sha256(self.api_key.encode()).hexdigest()}
            ],
        }

    def _root(self, number: int, der: bytes) -> Path:
        path = self.directory / f"authority-{number}.der"
        path.write_bytes(der)
        return path

    def _keystore(self) -> Path:
        path = self.directory / "keystore.json"
        password = self._secret("keystore.password")
        if not path.exists():
            key = ACCOUNTS[1].private_key
            path.touch(mode=0o600)
            self._write(path, Account.encrypt(key, password, kdf="scrypt", iterations=_SCRYPT_ROUNDS))
        return path

    def _secret(self, name: str) -> str:
        path = self.directory / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()

    @property
    def chain(self) -> DevChain | AnvilChain:
        """The first of the chains."""
        return next(iter(self.chains.values()))

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """The nodes of all chains."""
        return tuple(chain.rpc_url for chain in self.chains.values())

    @staticmethod
    def _write(path: Path, value: Mapping[str, Any]) -> None:
        path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
