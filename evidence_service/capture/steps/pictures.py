"""Pictures of the page: a viewport as a person sees it, and the page in its full height.

The full height is taken in strips: a surface higher than a graphics card's largest texture comes out blank
or repeated. ``optimizeForSpeed`` is the same picture, compressed in a third of the time into a larger
file.
"""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from evidence_service.capture.steps.opening import require_page
from evidence_service.capture.steps.visit import Visit

_STRIP = 8_192
"""Device pixels; the smallest texture limit in common use (SwiftShader, older cards)."""


def take_viewport(visit: Visit, path: str, role: str) -> None:
    """What is in view now; :class:`PageGoneError` when that is no page."""
    how: dict[str, Any] = {}
    if visit.scale != 1:
        # Without a clip the protocol gives a picture of CSS pixels.
        seen = visit.cdp.send("Page.getLayoutMetrics")["cssVisualViewport"]
        how["clip"] = {
            "x": seen["pageX"],
            "y": seen["pageY"],
            "width": seen["clientWidth"],
            "height": seen["clientHeight"],
            "scale": visit.scale,
        }
    picture = _shoot(visit, how)
    require_page(visit)
    visit.store(path, "image/png", role, picture)


def take_full(visit: Visit, path: str, role: str) -> dict[str, Any]:
    """Keep the page from its top to ``limits.height``; gives what was measured just before."""
    measured, picture = shoot_full(visit)
    require_page(visit)
    visit.store(path, "image/png", role, picture)
    return measured


def shoot_full(visit: Visit) -> tuple[dict[str, Any], bytes]:
    """What was measured, and the picture of the page from its top to ``limits.height``."""
    measured = visit.measure()
    width, height = int(measured["width"]), int(min(measured["height"], visit.limits.height))
    if measured["height"] > visit.limits.height:
        visit.fire(f"the page is higher than {visit.limits.height} pixels")
    strip = int(_STRIP // visit.scale)
    strips = [
        _shoot(
            visit,
            {
                "captureBeyondViewport": True,
                "clip": {
                    "x": 0,
                    "y": top,
                    "width": width,
                    "height": min(strip, height - top),
                    "scale": visit.scale,
                },
            },
        )
        for top in range(0, height, strip)
    ]
    return measured, strips[0] if len(strips) == 1 else join_strips(strips)


def join_strips(strips: list[bytes]) -> bytes:
    """One PNG from PNGs of the same width, one below the other; no pixel is changed."""
    parts = [Image.open(io.BytesIO(strip)).convert("RGB") for strip in strips]
    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    out = io.BytesIO()
    whole.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _shoot(visit: Visit, how: dict[str, Any]) -> bytes:
    answer = visit.cdp.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True, **how})
    return base64.b64decode(answer["data"])
