"""The fixture set: every outcome in English and Chinese, each page with what a capture of it has to say."""

from __future__ import annotations

from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts import LAYOUTS
from evidence_service.sandbox.marketplace.outcomes.broken import BROKEN
from evidence_service.sandbox.marketplace.outcomes.challenge import CHALLENGES
from evidence_service.sandbox.marketplace.outcomes.errors import ERRORS
from evidence_service.sandbox.marketplace.outcomes.listings import DELIVERIES
from evidence_service.sandbox.marketplace.outcomes.lookalikes import LOOKALIKES
from evidence_service.sandbox.marketplace.outcomes.removed import REMOVED
from evidence_service.sandbox.marketplace.outcomes.walls import WALLS

FIXTURES: tuple[Fixture, ...] = (
    *DELIVERIES,
    *LAYOUTS,
    *LOOKALIKES,
    *CHALLENGES,
    *WALLS,
    *REMOVED,
    *ERRORS,
    *BROKEN,
)
