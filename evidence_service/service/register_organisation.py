"""Register an organisation, which then has evidence, members and keys of its own."""

from __future__ import annotations

from dataclasses import dataclass

from evidence_service.errors import RefusedError
from evidence_service.service.parts import Parts
from evidence_service.store.administration import Change
from evidence_service.store.organisations import Organisation


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """Who is to be registered.

    Attributes:
        code: begins the numbers of its certificates; None: they begin with the installation's prefix.
    """

    id: str
    name: str
    code: str | None


def register_organisation(parts: Parts, new: NewOrganisation, *, actor: str) -> Organisation:
    """Record it; done once more with the same id, it changes nothing.

    Raises:
        RefusedError: the code is the installation's own.
        ConflictError: the code is another organisation's.
    """
    if new.code == parts.issuing.prefix:
        raise RefusedError(
            f"{new.code} begins the numbers of this installation's own certificates",
            what_to_do="choose another code, or none",
        )
    own = parts.within(new.id)
    now = parts.now()
    detail = {"name": new.name, "code": new.code}
    own.organisations.add(
        Organisation(new.id, new.name, new.code, now),
        Change("register_organisation", actor, new.id, now, detail),
    )
    return own.organisations.organisation(new.id)
