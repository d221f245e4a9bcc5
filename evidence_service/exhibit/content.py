"""What of a file can be searched and masked, decided by what it is announced as and by its first bytes.

Whatever is not text from one end to the other is never half-masked: a WACZ, a PDF or a video holds the same
words in streams that are compressed, so it is kept as it is, by name, or withheld.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "certificates", "picture", "container"]

TEXT_LIMIT = 64 * 1024 * 1024
"""Largest text that is masked, in bytes; it is held in memory."""
_TEXT = frozenset(
    {
        "application/json",
        "application/jsonl",
        "application/x-ndjson",
        "application/javascript",
        "application/xml",
        "multipart/related",
    }
)
_MARKS = (
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"%PDF-",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"age-encryption.org",
    b"BZh",
    b"\x28\xb5\x2f\xfd",
)
"""Beginnings of what is no text, whatever it is announced as."""
PNG = b"\x89PNG\r\n\x1a\n"


def kind_of(media_type: str, head: bytes, size: int) -> Kind:
    """How a file can be treated.

    Args:
        head: its first bytes, 16 or more where it has as many.
        size: in bytes.

    Returns:
        ``text``: searched and masked; ``certificates``: searched, never changed; ``picture``: areas of a PNG
        are masked, and somebody has to look at it; ``container``: anything else, kept whole or withheld.
    """
    media_type = media_type.split(";", maxsplit=1)[0].strip().lower()
    if head.startswith(PNG) or (media_type.startswith("image/") and media_type != "image/svg+xml"):
        return "picture"
    if head.startswith(_MARKS) or size > TEXT_LIMIT:
        return "container"
    if media_type == "application/x-pem-file":
        return "certificates"
    if media_type.startswith("text/") or media_type in _TEXT or media_type.endswith(("+json", "+xml")):
        return "text"
    return "container"
