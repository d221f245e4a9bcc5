"""A seal key in a hardware security module or a token, used through its maker's PKCS#11 module.

Two mechanisms are used because every module has them: CKM_RSA_PKCS over the DigestInfo, and CKM_ECDSA over
the digest, shortened to the length of the curve's order (FIPS 186-5, 6.4).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Lock
from typing import Any

from asn1crypto import algos, core
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from evidence_service.certificate.sealing.keys import Identity, SealKey, read_certificates, signed_by
from evidence_service.errors import ConfigurationError, SignerUnavailableError
from evidence_service.verify.path import common_name

_WAIT = "nothing is lost: certificates wait and are tried again"


class Pkcs11Key(SealKey):
    """Signs with a key that does not leave its token. A session is opened at once, and again when it is lost.

    Args:
        module: shared library.
        token: label of the token.
        pin: the user's PIN. One that was refused is not presented again: tokens lock after a few.
        key: label of the private key.
        certificates: PEM file, the key's own first.

    Raises:
        ConfigurationError: module, token, PIN, key or certificates cannot be used, or do not belong together.
        SignerUnavailableError: the token does not answer.
    """

    def __init__(self, module: Path, *, token: str, pin: str, key: str, certificates: Path) -> None:
        self._library = _library()
        self._identity = read_certificates(certificates, setting="seal.pkcs11.certificates_file")
        self._module, self._token, self._label = module, token, key
        self._pin: str | None = pin
        self._lock = Lock()
        self._key: Any = None
        probe = b"does this key belong to this certificate?"
        if not signed_by(self._identity.certificate, probe, self._sign(probe)):
            raise self._other_certificate()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(token={self._token!r}, key={self._label!r})"

    def identity(self) -> Identity:
        """See :meth:`SealKey.identity`."""
        return self._identity

    def _sign(self, data: bytes) -> bytes:
        public = self._identity.certificate.public_key()
        mechanisms = self._library.Mechanism
        # One at a time: a session has one operation.
        with self._lock:
            try:
                key = self._opened()
                if isinstance(public, ec.EllipticCurvePublicKey):
                    return _der(key.sign(_shortened(data, public.key_size), mechanism=mechanisms.ECDSA))
                return bytes(key.sign(_digest_info(data), mechanism=mechanisms.RSA_PKCS))
            except self._library.PKCS11Error as error:
                # The session is dropped: the next attempt opens another one.
                self._key = None
                raise SignerUnavailableError(
                    f"token {self._token} gave no signature ({type(error).__name__})",
                    what_to_do="nothing is lost: certificates wait and are tried again",
                ) from error

    def _opened(self) -> Any:
        """The private key in a session that is logged in."""
        if self._key is None:
            session = self._login(self._find_token())
            library = self._library
            found = list(
                session.get_objects(
                    {
                        library.Attribute.CLASS: library.ObjectClass.PRIVATE_KEY,
                        library.Attribute.LABEL: self._label,
                    }
                )
            )
            if len(found) != 1:
                raise ConfigurationError(
                    f"token {self._token} has {len(found)} private keys with the label {self._label}",
                    what_to_do="correct seal.pkcs11.key_label",
                )
            is_rsa = isinstance(self._identity.certificate.public_key(), rsa.RSAPublicKey)
            kind = library.KeyType.RSA if is_rsa else library.KeyType.EC
            if found[0][library.Attribute.KEY_TYPE] != kind:
                raise self._other_certificate()
            self._key = found[0]
        return self._key

    def _other_certificate(self) -> ConfigurationError:
        return ConfigurationError(
            f"the key {self._label} of token {self._token} does not belong to the certificate of "
            f"{common_name(self._identity.certificate.subject)}",
            what_to_do="correct seal.pkcs11.key_label or seal.pkcs11.certificates_file",
        )

    def _find_token(self) -> Any:
        try:
            module = self._library.lib(str(self._module))
        except self._library.PKCS11Error as error:
            raise ConfigurationError(
                f"seal.pkcs11.module ({self._module}) cannot be loaded as a PKCS#11 module",
                what_to_do="name the shared library that the token's maker delivers",
            ) from error
        found = [item for item in module.get_tokens() if item.label == self._token]
        if len(found) != 1:
            raise ConfigurationError(
                f"{self._module} has {len(found)} tokens with the label {self._token}",
                what_to_do="correct seal.pkcs11.token, or plug the token in",
            )
        return found[0]

    def _login(self, token: Any) -> Any:
        if self._pin is None:
            raise _wrong_pin(self._token)
        try:
            return token.open(user_pin=self._pin)
        except self._library.UserAlreadyLoggedIn:
            # A login is the whole process's.
            return token.open()
        except (
            self._library.PinIncorrect,
            self._library.PinInvalid,
            self._library.PinLenRange,
            self._library.PinLocked,
        ) as error:
            self._pin = None
            raise _wrong_pin(self._token) from error


def _library() -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigurationError(
            "a seal key in a PKCS#11 token needs python-pkcs11, which is not installed",
            what_to_do="install evidence-service[pkcs11]",
        ) from error
    return pkcs11


def _wrong_pin(token: str) -> ConfigurationError:
    return ConfigurationError(
        f"token {token} refused the PIN; it is not presented again before a restart, because tokens lock",
        what_to_do="correct the PIN in seal.pkcs11.pin_file, unlock the token if it is locked, and restart",
    )


def _digest_info(data: bytes) -> bytes:
    """DigestInfo over SHA-512 of the data (RFC 8017, 9.2), which the mechanism only pads."""
    digest = hashlib.sha512(data).digest()
    info = {"digest_algorithm": {"algorithm": "sha512", "parameters": core.Null()}, "digest": digest}
    return bytes(algos.DigestInfo(info).dump())


def _shortened(data: bytes, bits: int) -> bytes:
    return hashlib.sha512(data).digest()[: (bits + 7) // 8]


def _der(value: bytes) -> bytes:
    """The DER of a signature given as r and s, each of half the length."""
    half = len(value) // 2
    return encode_dss_signature(int.from_bytes(value[:half]), int.from_bytes(value[half:]))
