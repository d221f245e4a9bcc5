"""Confirm that somebody is a member of an organisation that others have added him to."""

from __future__ import annotations

from evidence_service.service.parts import Parts
from evidence_service.store.administration import Change
from evidence_service.store.organisations import Holder


def confirm_membership(parts: Parts, holder: Holder, issuer: str, subject: str) -> None:
    """Record that he has named the organisation himself; the first time counts.

    Args:
        issuer, subject: as whom he was known when he did.
    """
    detail = {"name": holder.name, "issuer": issuer, "subject": subject}
    change = Change("confirm_member", holder.name, holder.member_id, parts.now(), detail)
    parts.within(holder.organisation_id).members.confirm(holder.member_id, change)
