"""The matter that an organisation's custody checkpoints belong to: the service's own, closed to callers.

Whatever is registered into it is taken for a checkpoint by whoever reads it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from evidence_service.errors import RefusedError
from evidence_service.store.schema import DEFAULT_ORGANISATION

REFERENCE, APPLICANT = "Custody log", "the organisation itself"


# Asked for every registration.
@lru_cache(maxsize=1024)
def matter_id_of(organisation_id: str) -> str:
    """Id of the matter that an organisation's checkpoints belong to."""
    return f"m-{hashlib.sha256(f'{REFERENCE} {organisation_id}'.encode()).hexdigest()[:20]}"


def keep_out(organisation_id: str | None, matter_id: str) -> None:
    """Refuse a caller's order for the matter of his organisation's custody log, or a change of that matter.

    Args:
        organisation_id: the caller's; None where there is one organisation only.

    Raises:
        RefusedError: it is that matter.
    """
    if matter_id == matter_id_of(organisation_id or DEFAULT_ORGANISATION):
        raise RefusedError(
            f"matter {matter_id} is the custody log's own: only its checkpoints belong there",
            what_to_do="register a matter of your own, or use another one",
        )
