"""Signs with a key of AWS KMS, which never leaves it (key spec ``ECC_SECG_P256K1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from evidence_service.anchor.signer import CheckedSigner
from evidence_service.anchor.transaction import address_of
from evidence_service.errors import ConfigurationError, SignerUnavailableError
from evidence_service.verify.trie import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS, READ_SECONDS, TRIES = 3, 5, 2
"""Patience with one call: a signature takes KMS some ten milliseconds."""

_WHAT_TO_DO = {
    "AccessDeniedException": "grant kms:Sign and kms:GetPublicKey on the key to this service's role",
    "DisabledException": "enable the key again, or configure another one",
    "ExpiredTokenException": "renew this service's AWS credentials",
    "InvalidKeyUsageException": "configure a key of usage SIGN_VERIFY and spec ECC_SECG_P256K1",
    "KMSInvalidStateException": "cancel the key's deletion or finish its import, or configure another key",
    "NotFoundException": "correct the key id and the region",
    "UnrecognizedClientException": "correct this service's AWS credentials",
    "ValidationException": "correct the key id; the key has to be of spec ECC_SECG_P256K1",
}
_WAIT = "nothing is lost: anchors wait and are tried again"


class KmsSigner(CheckedSigner):
    """Signs with a key of AWS KMS. Credentials are found as AWS tools find them, never configured here.

    Args:
        key_id: id, ARN or alias of the key.
        region: empty: that of the AWS configuration.
        endpoint: empty: that of the region.
        address: of the key, 0x and hexadecimal; empty: KMS is asked once it is needed.

    Raises:
        ConfigurationError: boto3 is not installed, or no region is known.
    """

    def __init__(self, key_id: str, *, region: str = "", endpoint: str = "", address: str = "") -> None:
        try:
            import boto3  # noqa: PLC0415 - optional, and a fifth of a second
            from botocore.config import Config  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                "a signer of kind aws_kms needs boto3, which is not installed",
                what_to_do="install evidence-service[kms]",
            ) from error
        patience = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
        )
        try:
            self._client: Any = boto3.client(
                "kms", region_name=region or None, endpoint_url=endpoint or None, config=patience
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(
                f"AWS KMS cannot be used: {error}", what_to_do="set the signer's region and endpoint"
            ) from error
        self._key_id = key_id
        self._address = address.lower()

    @property
    def address(self) -> str:
        """0x and lower-case hexadecimal.

        Raises:
            SignerUnavailableError: none is configured, and KMS does not give the key.
            ConfigurationError: the key is not of secp256k1.
        """
        if not self._address:
            self._address = self._ask_address()
        return self._address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._key_id!r})"

    def _sign(self, payload: bytes) -> tuple[int, int]:
        # With MessageType DIGEST KMS signs the 32 bytes as they are; SHA_256 in the algorithm's name only
        # says how long they have to be.
        answer = self._call(
            self._client.sign,
            Message=keccak256(payload),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        try:
            return decode_dss_signature(answer["Signature"])
        except (KeyError, ValueError, TypeError) as error:
            raise SignerUnavailableError(
                f"AWS KMS returned no DER signature for key {self._key_id}", what_to_do=_WAIT
            ) from error

    def _ask_address(self) -> str:
        answer = self._call(self._client.get_public_key)
        try:
            key = load_der_public_key(answer["PublicKey"])
        except (KeyError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SignerUnavailableError(
                f"AWS KMS returned no public key for {self._key_id}", what_to_do=_WAIT
            ) from error
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256K1):
            raise ConfigurationError(
                f"the key {self._key_id} of AWS KMS is not of secp256k1",
                what_to_do="create one of spec ECC_SECG_P256K1 and usage SIGN_VERIFY",
            )
        return address_of(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def _call(self, method: Callable[..., dict[str, Any]], **parameters: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            return method(KeyId=self._key_id, **parameters)
        except ClientError as error:
            # Only the code: the words quote account and role.
            code = str(error.response.get("Error", {}).get("Code", "an unknown error"))[:100]
            raise SignerUnavailableError(
                f"AWS KMS refused to use key {self._key_id}: {code}", what_to_do=_WHAT_TO_DO.get(code, _WAIT)
            ) from error
        except (BotoCoreError, AttributeError, KeyError, TypeError, ValueError) as error:
            # All but the first are what the SDK's parser stumbles over in an answer that is not KMS's.
            raise SignerUnavailableError(
                f"AWS KMS did not answer properly for key {self._key_id}: {type(error).__name__}",
                what_to_do=_WAIT,
            ) from error
