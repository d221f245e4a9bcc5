"""Who signs transactions. Keys in memory and in keystore files are here; other custodians are beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from coincurve import PrivateKey

from evidence_service.anchor import transaction as eip1559
from evidence_service.errors import ConfigurationError
from evidence_service.verify.trie import keccak256


class Signer(Protocol):
    """Signs transactions for one address."""

    @property
    def address(self) -> str:
        """0x and lower-case hexadecimal.

        Raises:
            SignerUnavailableError: the key's custodian has to be asked for it and does not answer.
        """

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Raw EIP-1559 transaction, ready to send. Nothing is sent: to sign again is safe.

        Args:
            transaction: ``chainId``, ``nonce``, ``to``, ``value``, ``data``, ``gas``, ``maxFeePerGas``,
                ``maxPriorityFeePerGas``; amounts in wei.

        Raises:
            SignerUnavailableError: no signature, or not one of this address.
        """


class CheckedSigner(ABC):
    """What every signer shares: the payload, and the check of whatever comes back for it."""

    @property
    @abstractmethod
    def address(self) -> str:
        """See :attr:`Signer.address`."""

    @abstractmethod
    def _sign(self, payload: bytes) -> tuple[int, int]:
        """r and s of a signature over Keccak-256 of the payload; s may be the higher one."""

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """See :meth:`Signer.sign_transaction`."""
        payload = eip1559.unsigned(transaction)
        r, s = self._sign(payload)
        return eip1559.signed(transaction, eip1559.checked(payload, r, s, self.address))


class LocalSigner(CheckedSigner):
    """Signs with a private key held in memory.

    Args:
        private_key: 32 bytes.

    Raises:
        ConfigurationError: not a key of secp256k1.
    """

    def __init__(self, private_key: bytes) -> None:
        try:
            if len(private_key) != 32:
                raise ValueError
            self._key = PrivateKey(private_key)
        except ValueError:
            # The original message may quote the key.
            raise ConfigurationError("the signer's private key is not a key of secp256k1") from None
        self._address = eip1559.address_of(self._key.public_key.format(compressed=False))

    @property
    def address(self) -> str:
        """0x and lower-case hexadecimal."""
        return self._address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address})"

    def _sign(self, payload: bytes) -> tuple[int, int]:
        # Deterministic (RFC 6979): signing the same transaction again gives the same bytes.
        compact = self._key.sign_recoverable(keccak256(payload), hasher=None)
        return int.from_bytes(compact[:32], "big"), int.from_bytes(compact[32:64], "big")


class KeystoreSigner(LocalSigner):
    """Signs with a key from an encrypted keystore file (Web3 Secret Storage, version 3).

    Args:
        path: the JSON file.
        password: opens it; kept nowhere.

    Raises:
        ConfigurationError: no such file, not a keystore, or another password.
    """

    def __init__(self, path: Path, password: str) -> None:
        from eth_account import Account  # noqa: PLC0415 - half a second, only where a keystore is opened

        try:
            private_key = bytes(Account.decrypt(path.read_text(), password))
        except OSError as error:
            raise ConfigurationError(f"the keystore {path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"the keystore {path} cannot be opened: it is not a keystore, or the password is another",
                what_to_do="check the file and the password that the configuration names",
            ) from error
        super().__init__(private_key)
