"""What goes in and out of the API where digests are registered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NotRequired, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SkipValidation, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from evidence_service.api.orders import ProblemView
from evidence_service.store.proofs import Proof
from evidence_service.store.registrations import Registration, RegistrationList

MAX_ROWS = 10_000
MAX_SIZE = 2**53 - 1
_MEDIA_TYPE = (
    r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,90}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,90}$"  # RFC 6838, 4.2
)

MatterId = Annotated[str, Field(pattern="^[!-~]{1,64}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Hexadecimal, in small letters")]
Sha3 = Annotated[str, Field(pattern="^[0-9a-f]{128}$", description="SHA3-512; hexadecimal, in small letters")]
Name = Annotated[str, Field(min_length=1, max_length=400)]
Size = Annotated[int, Field(ge=0, le=MAX_SIZE, strict=True)]
MediaType = Annotated[str, Field(pattern=_MEDIA_TYPE, max_length=200)]
ANY_TYPE = "application/octet-stream"


class StatedFile(BaseModel):
    """A file as its owner states it; its content is not sent."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(
        description="Name of the file, or a path or label in the form of one; written into the manifest"
    )
    size: Size = Field(description="In bytes")
    sha256: Sha256
    sha3_512: Sha3
    media_type: MediaType = ANY_TYPE


class StatedRow(TypedDict):
    """The same in a list: a dictionary, for thousands of objects at once keep the garbage collector busy."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    name: Name
    size: Size
    sha256: Sha256
    sha3_512: Sha3
    media_type: NotRequired[MediaType]


_FILE_EXAMPLE: dict[str, JsonValue] = {
    "name": "photos/0417.jpg",
    "size": 0,
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha3_512": "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
    "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26",
    "media_type": "image/jpeg",
}


class NewRegistration(StatedFile):
    """A digest to be registered for a matter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"matter_id": "m-0123456789abcdef", **_FILE_EXAMPLE}]},
    )

    matter_id: MatterId


class NewRegistrationList(BaseModel):
    """Digests to be registered for one matter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"matter_id": "m-0123456789abcdef", "rows": [_FILE_EXAMPLE]}]},
    )

    matter_id: MatterId
    # Each row is looked at by itself: a bad one refuses no other.
    rows: list[SkipValidation[StatedFile]] = Field(min_length=1, max_length=MAX_ROWS)

    @classmethod
    def of_json(cls, data: bytes) -> NewRegistrationList:
        """A body; a :class:`RightList` where all rows are right.

        Raises:
            ValidationError: it is no list of rows.
        """
        try:
            # In one go, straight from the bytes: a third of the time.
            right = _RIGHT.validate_json(data)
        except ValidationError:
            return cls.model_validate_json(data)
        return RightList.model_construct(matter_id=right["matter_id"], rows=right["rows"])


class RightList(NewRegistrationList):
    """A list whose rows are each a :class:`StatedRow`; of any other they are as they came."""


class _Right(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    matter_id: MatterId
    rows: Annotated[list[StatedRow], Field(min_length=1, max_length=MAX_ROWS)]


_RIGHT = TypeAdapter(_Right)


class AcceptedRegistration(BaseModel):
    """A registered digest, durable, and the receipt for it; the same however often it is asked for."""

    id: str = Field(description="Of the evidence it becomes")
    matter_id: str
    sha256: str
    accepted_at: datetime
    batch_by: datetime = Field(description="What the receipt promises")
    receipt: dict[str, Any] = Field(
        description="Signed promise of a closed batch by a stated time (evidence-receipt/1)"
    )


class RegistrationView(BaseModel):
    """A registered digest and where its evidence stands."""

    id: str = Field(description="Of the evidence it becomes")
    matter_id: str
    list_id: str | None
    position: int | None = Field(description="From 1, in the list")
    name: str
    media_type: str
    size: int
    sha256: str
    sha3_512: str
    accepted_at: datetime
    batch_by: datetime = Field(description="What its receipt promises")
    status: str = Field(description="accepted → registered → anchored")
    batch: str | None

    @classmethod
    def of(cls, found: Registration) -> Self:
        """The view of a record."""
        return cls(
            id=found.id,
            matter_id=found.matter_id,
            list_id=found.list_id,
            position=found.position,
            name=found.name,
            media_type=found.media_type,
            size=found.size,
            sha256=found.sha256.hex(),
            sha3_512=found.sha3_512.hex(),
            accepted_at=found.accepted_at,
            batch_by=found.batch_by,
            status=found.status or "accepted",
            batch=found.batch_id,
        )


class RowResult(BaseModel):
    """What became of one row: accepted, or refused with a problem."""

    position: int = Field(description="From 1, in the list")
    id: str | None = Field(description="Of the evidence it becomes; null where it was refused")
    problem: ProblemView | None


class AcceptedRegistrationList(BaseModel):
    """A list, durable, with the answer to each row; the same however often it is asked for."""

    id: str
    matter_id: str
    accepted_at: datetime
    batch_by: datetime
    accepted: int = Field(description="Rows that were registered")
    refused: int = Field(description="Rows that were refused")
    receipt: dict[str, Any] | None = Field(
        description="Signed promise for all accepted rows (evidence-receipt/1, kind digest_list)"
    )
    rows: list[RowResult]


class RegistrationListView(BaseModel):
    """A list and where its rows stand."""

    id: str
    matter_id: str
    accepted_at: datetime
    batch_by: datetime
    accepted: int
    refused: int
    statuses: dict[str, int] = Field(description="Accepted rows by the status of their evidence")
    receipt: dict[str, Any] | None

    @classmethod
    def of(cls, found: RegistrationList, statuses: dict[str, int], receipt: dict[str, Any] | None) -> Self:
        """The view of a record."""
        return cls(
            id=found.id,
            matter_id=found.matter_id,
            accepted_at=found.accepted_at,
            batch_by=found.batch_by,
            accepted=found.size - len(found.refused),
            refused=len(found.refused),
            statuses=statuses,
            receipt=receipt,
        )


class ListedRow(BaseModel):
    """A row of a list: registered, with where its evidence stands, or refused."""

    position: int = Field(description="From 1, in the list")
    registration: RegistrationView | None
    name: str = Field(description="As far as it could be read, where the row was refused")
    problem: ProblemView | None


class RegistrationRows(BaseModel):
    """Some rows, and where to go on."""

    items: list[ListedRow]
    next: int | None = Field(description="Give it as “after” for the next page; null on the last")


class ProofView(BaseModel):
    """A piece of evidence that a digest leads to."""

    id: str
    matter_id: str
    matched: str = Field(description="`content`: of a registered digest or a file; `manifest`: of a manifest")
    status: str
    accepted_at: datetime
    batch: str | None
    index: int | None = Field(description="Of its entry in the batch")
    size: int | None = Field(description="Entries of the batch")
    path: list[str] | None = Field(
        description="Inclusion path of the entry (RFC 9162), from its sibling upwards; hexadecimal"
    )
    commitment: str | None = Field(description="Of the batch: what the contract records; hexadecimal")

    @classmethod
    def of(cls, found: Proof) -> Self:
        """The view of a record."""
        return cls(
            id=found.id,
            matter_id=found.matter_id,
            matched=found.matched,
            status=found.status,
            accepted_at=found.accepted_at,
            batch=found.batch_id,
            index=found.index,
            size=found.size,
            path=None if found.path is None else [node.hex() for node in found.path],
            commitment=None if found.commitment is None else found.commitment.hex(),
        )


class ProofPage(BaseModel):
    """Some proofs, in the order of their ids, and where to go on."""

    items: list[ProofView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")
