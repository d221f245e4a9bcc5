"""What a page says about its listing, and where each fact was read."""

from evidence_service.capture.listing.fact import Box, Fact, Source, Span
from evidence_service.capture.listing.placing import place, selectors_of
from evidence_service.capture.listing.reading import read_listing

__all__ = ["Box", "Fact", "Source", "Span", "place", "read_listing", "selectors_of"]
