"""What a visit left becomes the capture's files: each text masked first where a login state was in use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import CaptureFiles
from evidence_service.capture.listing import Fact
from evidence_service.capture.responses import pictures
from evidence_service.capture.steps.visit import Visit

Mask = Callable[[bytes], bytes]


def keep_as_it_is(data: bytes) -> bytes:
    """The mask of a capture that knows no secret."""
    return data


@dataclass(frozen=True, slots=True)
class Record:
    """Writes the files of one capture.

    Attributes:
        mask: takes the secrets out of a text; pictures and the PDF cannot be masked.
    """

    files: CaptureFiles
    wire: Path
    exchanges: Sequence[Exchange]
    mask: Mask = keep_as_it_is

    def write(self, visit: Visit, facts: Mapping[str, Fact], environment: Mapping[str, Any]) -> None:
        """Write everything but the package."""
        for item in visit.documents:
            self.files.add(item.path, item.media_type, item.role, self.mask(item.data))
        self._pictures(visit, facts)
        self._json("environment.json", "environment", environment)
        self._json("listing.json", "listing", {name: fact.to_json() for name, fact in facts.items()})
        self._json("exchanges.json", "exchanges.metadata", [item.to_json() for item in self.exchanges])
        lines = "".join(
            json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n" for entry in visit.log.entries
        )
        self._text("actions.jsonl", "application/jsonl", "actions", lines)

    def _pictures(self, visit: Visit, facts: Mapping[str, Fact]) -> None:
        if "images" not in facts or visit.final_url is None:
            return
        named = facts["images"].value
        for item, path, media_type, data in pictures(self.wire, self.exchanges, named, visit.final_url):
            self.files.add(path, media_type, "image", data)
            visit.log.add("image", f"{path} is {item.url}"[:500], exchange=item.id)

    def _json(self, path: str, role: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        self._text(path, "application/json", role, text)

    def _text(self, path: str, media_type: str, role: str, text: str) -> None:
        self.files.add(path, media_type, role, self.mask(text.encode("utf-8", "replace")))
