"""What is masked or withheld in an exhibit, as its maker says it: ``evidence-redaction-plan/1``.

People write it by hand, so members may be left out. It holds the personal data it is to hide: it is forgotten
once the exhibit is made, and appears in no error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence_service.core import document, manifest
from evidence_service.errors import EvidenceError, MalformedError, RefusedError

FORMAT: Final = "evidence-redaction-plan/1"
MOST_TEXTS = 1_000
SHORTEST = 6
"""Bytes of the shortest text that is masked: a shorter one would be found everywhere."""
_MOST = 500
_REASON = "personal data"
_NO_PATH = "name files as the manifest does, a folder with / at its end"

_TEXT = document.text(minimum=1, maximum=1_000)
_LINE = document.text(minimum=1, maximum=400)
_EVIDENCE = document.optional(manifest.EVIDENCE_ID)
_NAME = document.text(minimum=1, maximum=600)
_PIXELS = document.integer(maximum=1_000_000)

_SHAPE = document.record(
    {
        "format": document.choice(FORMAT),
        "texts": document.list_of(document.record({"text": _TEXT, "reason": _LINE}), maximum=MOST_TEXTS),
        "patterns": document.list_of(
            document.record({"pattern": document.text(minimum=1, maximum=200), "reason": _LINE}), maximum=50
        ),
        "areas": document.list_of(
            document.record(
                {
                    "evidence": _EVIDENCE,
                    "path": _NAME,
                    "x": _PIXELS,
                    "y": _PIXELS,
                    "width": _PIXELS,
                    "height": _PIXELS,
                    "reason": _LINE,
                }
            ),
            maximum=_MOST,
        ),
        "withheld": document.list_of(
            document.record({"evidence": _EVIDENCE, "path": _NAME, "reason": _LINE}), maximum=_MOST
        ),
        "accepted": document.list_of(_NAME, maximum=_MOST),
        "without_certificate": document.boolean,
        "approved_by": document.text(maximum=400),
    }
)
_DEFAULTS: Mapping[str, Any] = {
    "texts": [],
    "patterns": [],
    "areas": [],
    "withheld": [],
    "accepted": [],
    "without_certificate": False,
    "approved_by": "",
}
_ITEM_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "texts": {"reason": _REASON},
    "patterns": {"reason": _REASON},
    "areas": {"evidence": None, "reason": _REASON},
    "withheld": {"evidence": None, "reason": _REASON},
}


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of a picture, in pixels from the upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RedactionPlan:
    """A plan whose form was checked; whether it fits the evidence is found out when it is carried out.

    Attributes:
        value: the plan with every member, as it is kept until the exhibit is made.
    """

    value: Mapping[str, Any]

    def __repr__(self) -> str:
        return "RedactionPlan(…)"

    @property
    def masks(self) -> bool:
        """Whether anything is to be masked."""
        return any(self.value[name] for name in ("texts", "patterns", "areas"))

    @property
    def without_certificate(self) -> bool:
        """Whether the certificate is left out."""
        return bool(self.value["without_certificate"])

    @property
    def approved_by(self) -> str:
        """Who approved it; empty: whoever orders the exhibit."""
        return str(self.value["approved_by"])

    @property
    def accepted(self) -> tuple[str, ...]:
        """What is handed over although it shows, or may show, what is masked."""
        return tuple(self.value["accepted"])

    def texts(self) -> dict[str, str]:
        """Reason by text."""
        return {item["text"]: item["reason"] for item in self.value["texts"]}

    def patterns(self) -> dict[str, str]:
        """Reason by regular expression."""
        return {item["pattern"]: item["reason"] for item in self.value["patterns"]}

    def areas_of(self, evidence_id: str, path: str) -> tuple[tuple[Area, ...], str]:
        """What is masked in a picture, and why."""
        found = [item for item in self.value["areas"] if _is_meant(item, evidence_id, path)]
        areas = tuple(Area(item["x"], item["y"], item["width"], item["height"]) for item in found)
        return areas, "; ".join(dict.fromkeys(item["reason"] for item in found))[:400]

    def withholds(self, evidence_id: str, path: str) -> str | None:
        """Why a file is withheld; None when nobody asks for it."""
        return next(
            (item["reason"] for item in self.value["withheld"] if _is_meant(item, evidence_id, path)), None
        )

    def accepts(self, *names: str) -> bool:
        """Whether a member is accepted as it is, under any of its names."""
        return any(_covers(accepted, name) for accepted in self.accepted for name in names)

    def check_paths(self, files: Mapping[str, Sequence[str]]) -> None:
        """Refuse areas and withheld files that no evidence has: a slip of the pen would disclose them.

        Args:
            files: paths of the manifests, by evidence.

        Raises:
            RefusedError: naming the first one.
        """
        for item in (*self.value["areas"], *self.value["withheld"]):
            if not any(_is_meant(item, key, path) for key, paths in files.items() for path in paths):
                raise RefusedError(
                    f"no evidence of this exhibit has a file {item['path']}", what_to_do=_NO_PATH
                )


def parse_plan(given: Mapping[str, Any]) -> RedactionPlan:
    """Check a plan.

    Raises:
        RefusedError: it is not one; without quoting what is to be hidden.
    """
    try:
        document.check_format({"format": FORMAT, **given}, FORMAT, what="redaction plan")
        value = {"format": FORMAT, **_DEFAULTS, **given}
        for name, defaults in _ITEM_DEFAULTS.items():
            if isinstance(value[name], list):
                value[name] = [_with(defaults, item) for item in value[name]]
        _SHAPE(value, "plan")
        _check_storable(value)
    except EvidenceError as error:
        raise RefusedError(
            f"the redaction plan cannot be used: {error.message}", what_to_do="see docs/spec/exhibit.md"
        ) from error
    for number, item in enumerate(value["texts"], start=1):
        if len(item["text"].encode("utf-8", "surrogatepass")) < SHORTEST:
            raise RefusedError(
                f"text {number} of the plan has less than {SHORTEST} bytes: it would be found everywhere",
                what_to_do="give it with more of its surroundings, or withhold the files",
            )
    for number, item in enumerate(value["patterns"], start=1):
        _check_pattern(number, item["pattern"])
    if any(not (item["width"] and item["height"]) for item in value["areas"]):
        raise RefusedError("an area of the plan is empty", what_to_do="give x, y, width and height in pixels")
    return RedactionPlan(value)


def _check_storable(value: Mapping[str, Any]) -> None:
    """PostgreSQL takes neither NUL nor half a surrogate pair; nothing of either can be searched for."""
    words = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in words or any("\ud800" <= item <= "\udfff" for item in words):
        raise MalformedError("a text has a NUL character or half a surrogate pair")


def _check_pattern(number: int, pattern: str) -> None:
    try:
        found = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise RefusedError(f"pattern {number} of the plan is no regular expression: {error}") from error
    if found.search("") is not None:
        raise RefusedError(
            f"pattern {number} of the plan also fits where nothing stands", what_to_do="make it say more"
        )


def _with(defaults: Mapping[str, Any], item: Any) -> Any:
    return {**defaults, **item} if isinstance(item, dict) else item


def _is_meant(item: Mapping[str, Any], evidence_id: str, path: str) -> bool:
    return item["evidence"] in (None, evidence_id) and _covers(item["path"], path)


def _covers(named: str, path: str) -> bool:
    """A name means one file; with a slash at its end, everything in a folder."""
    return path == named or (named.endswith("/") and path.startswith(named))
