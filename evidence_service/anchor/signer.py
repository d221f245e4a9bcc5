"""Who signs transactions: a key in memory or an encrypted keystore file; other custodians fit too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from evidence_service.errors import ConfigurationError


class Signer(Protocol):
    """Signs transactions for one address."""

    @property
    def address(self) -> str:
        """0x and lower-case hexadecimal."""

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Raw EIP-1559 transaction, ready to send.

        Args:
            transaction: ``chainId``, ``nonce``, ``to``, ``value``, ``data``, ``gas``, ``maxFeePerGas``,
                ``maxPriorityFeePerGas``; amounts in wei.
        """


class LocalSigner:
    """Signs with a private key held in memory.

    Args:
        private_key: 32 bytes.

    Raises:
        ConfigurationError: not a key of secp256k1.
    """

    def __init__(self, private_key: bytes) -> None:
        from eth_account import Account  # noqa: PLC0415 - half a second, only where something is signed

        try:
            self._account = Account.from_key(private_key)
        except (ValueError, TypeError) as error:
            # The original message may quote the key.
            raise ConfigurationError(
                "the signer's private key is not a key of secp256k1"
            ) from error.__cause__
        self._address = str(self._account.address).lower()

    @property
    def address(self) -> str:
        """0x and lower-case hexadecimal."""
        return self._address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Raw EIP-1559 transaction, ready to send."""
        return bytes(self._account.sign_transaction({**transaction, "type": 2}).raw_transaction)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address})"


class KeystoreSigner(LocalSigner):
    """Signs with a key from an encrypted keystore file (Web3 Secret Storage, version 3).

    Args:
        path: the JSON file.
        password: opens it; kept nowhere.

    Raises:
        ConfigurationError: no such file, not a keystore, or another password.
    """

    def __init__(self, path: Path, password: str) -> None:
        from eth_account import Account  # noqa: PLC0415 - as above

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
