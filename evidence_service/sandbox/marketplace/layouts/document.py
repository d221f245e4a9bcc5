"""A plain document, for pages that have nothing of the sample marketplace's own frame."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 'Noto Sans','Noto Sans CJK SC',sans-serif;margin:24px auto;max-width:1000px}"
    "img{max-width:320px}li{display:inline-block;margin:4px;padding:4px 10px;border:1px solid #bbb}"
)


def document(title: str, body: str, *, language: str = "en", head: str = "", attributes: str = "") -> str:
    """A whole page.

    Args:
        head: more of the head element.
        attributes: of the body element.
    """
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style>{head}</head><body {attributes}>{body}</body></html>"
    )


def state(value: Any) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def json_ld(value: Any) -> str:
    """A JSON-LD block."""
    return f'<script type="application/ld+json">{state(value)}</script>'
