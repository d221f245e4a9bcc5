"""Settings of the seal: the level, and where its key is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator


class SealPkcs11Settings(BaseModel):
    """A seal key in a hardware security module or a token, by PKCS#11."""

    module: Path = Field(description="The module (a shared library) of its maker")
    token: str = Field(description="Label of the token", min_length=1)
    pin_file: Path = Field(description="File with the user's PIN")
    key_label: str = Field(description="Label of the private key", min_length=1)
    certificates_file: Path = Field(description="Certificates (PEM), the key's own first")


class SealRemoteSettings(BaseModel):
    """A seal key at a signing service, by the API of the Cloud Signature Consortium (version 2)."""

    url: str = Field(
        description="Address before `/csc/v2/…`; https, or http on this machine",
        pattern=r"^(https://[^/?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^?#]*)?$",
    )
    credential: str = Field(description="The service's id of the credential (`credentialID`)", min_length=1)
    token_file: Path = Field(description="File with the bearer token; read again for every request")
    certificates_file: Path | None = Field(
        default=None,
        description="Certificates (PEM), the key's own first; empty: the service is asked",
    )


class SealSettings(BaseModel):
    """The level of seals, and the one place where their key is: `pkcs12`, `pkcs11` or `remote`."""

    level: Literal["PAdES B-B", "PAdES B-T", "PAdES B-LT", "PAdES B-LTA"] = Field(
        default="PAdES B-T",
        description="Level seals have to reach; B-LT and above need certificates that name revocation lists",
    )
    pkcs12: Path | None = Field(default=None, description="File with key, certificate and chain")
    password_file: Path | None = Field(default=None, description="File with the password of `pkcs12`")
    pkcs11: SealPkcs11Settings | None = Field(default=None, description="A module or token")
    remote: SealRemoteSettings | None = Field(default=None, description="A signing service")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        named = [name for name in ("pkcs12", "pkcs11", "remote") if getattr(self, name) is not None]
        if len(named) != 1:
            found = f"seal.{' and seal.'.join(named)} are" if named else "none of them is"
            raise ValueError(f"set exactly one of seal.pkcs12, seal.pkcs11 and seal.remote; {found} set")
        if (self.pkcs12 is None) != (self.password_file is None):
            raise ValueError("seal.pkcs12 and seal.password_file belong together")
        return self
