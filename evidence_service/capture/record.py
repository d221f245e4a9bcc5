"""What a visit left becomes the capture's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import CaptureFiles, jsonl_text
from evidence_service.capture.listing import Fact
from evidence_service.capture.responses import pictures
from evidence_service.capture.steps.visit import Visit


@dataclass(frozen=True, slots=True)
class Record:
    """Writes the files of one capture."""

    files: CaptureFiles
    wire: Path
    exchanges: Sequence[Exchange]

    def write(self, visit: Visit, facts: Mapping[str, Fact], environment: Mapping[str, Any]) -> None:
        """Write everything but the package."""
        for item in visit.documents:
            self.files.add(item.path, item.media_type, item.role, item.data)
        self._pictures(visit, facts)
        self.files.add_json("environment.json", "environment", environment)
        self.files.add_json("listing.json", "listing", {name: fact.to_json() for name, fact in facts.items()})
        self.files.add_json(
            "exchanges.json", "exchanges.metadata", [item.to_json() for item in self.exchanges]
        )
        self.files.add("actions.jsonl", "application/jsonl", "actions", jsonl_text(visit.log.entries))

    def _pictures(self, visit: Visit, facts: Mapping[str, Fact]) -> None:
        if "images" not in facts or visit.final_url is None:
            return
        named = facts["images"].value
        for item, path, media_type, data in pictures(self.wire, self.exchanges, named, visit.final_url):
            self.files.add(path, media_type, "image", data)
            visit.log.add("image", f"{path} is {item.url}"[:500], exchange=item.id)
