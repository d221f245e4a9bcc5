"""Settings of the object store."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator


class ObjectSettings(BaseModel):
    """Where evidence and certificates are kept: `local` in the data directory, `s3` in a bucket.

    Credentials of an S3 service are no setting: they come from the environment, the profile or the machine's
    role.
    """

    kind: Literal["local", "s3"] = Field(default="local", description="`local` or `s3`")
    bucket: str = Field(default="", pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Name (s3)")
    prefix: str = Field(
        default="objects/",
        pattern=r"^[A-Za-z0-9!_./-]{0,200}$",
        description="Of every key; the rest of a key is the SHA-256 (s3)",
    )
    endpoint_url: str = Field(
        default="",
        pattern=r"^$|^(https://[^/?#@\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)/?$",
        description="Address of another service than AWS; https, or http on this machine (s3)",
    )
    region: str = Field(default="", description="Empty: as AWS tools are configured (s3)")
    compliance: bool = Field(
        default=True,
        description="Whether every object is locked in compliance mode; the service does not start when the "
        "bucket has no Object Lock (s3)",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="How long an object is locked; nobody can delete it earlier, nobody can shorten it (s3)",
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.kind == "local":
            if self.bucket or self.endpoint_url or self.region or self.retention_days is not None:
                raise ValueError("bucket, endpoint_url, region and retention_days belong to the kind s3")
            return self
        if not self.bucket:
            raise ValueError("the kind s3 needs a bucket")
        if self.compliance != (self.retention_days is not None):
            raise ValueError(
                "compliance and retention_days belong together: set both, or compliance to false"
            )
        return self
