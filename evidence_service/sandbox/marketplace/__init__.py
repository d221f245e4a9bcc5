"""A sample marketplace of the project's own: something real to capture that nobody else has to serve."""

from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.fixtures import FIXTURES
from evidence_service.sandbox.marketplace.server import Marketplace

__all__ = ["FIXTURES", "Fixture", "Marketplace"]
