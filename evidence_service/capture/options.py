"""What an order may say about how a listing is captured; all of it is printed in the record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import available_timezones

from evidence_service.errors import RefusedError

PROFILES = ("desktop", "mobile")
MODES = ("recording_proxy", "tunnel")
ACTIONS = ("click", "choose", "fill", "open", "wait_for")
MAX_STEPS = 20
_MAX_TEXT = 400
_HOW_STEPS_ARE = (
    'write [{"action": "click", "text": "…"}, …]; the actions are ' + ", ".join(ACTIONS) + "; see "
    "docs/how-to/carry-out-steps.md"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One scripted step, carried out after the page has settled, and logged with the element it met.

    Attributes:
        action: ``click`` an element, ``choose`` an option of a select, ``fill`` a field, ``open`` a link's
            target or an address, ``wait_for`` an element.
        selector: CSS selector of the element; empty when ``text`` finds it.
        text: visible text of the element; empty when ``selector`` finds it.
        value: option to choose, text to fill in, address to open.
    """

    action: str
    selector: str = ""
    text: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How one listing is captured.

    Attributes:
        profile: ``desktop`` or ``mobile``: viewport, touch and user agent.
        locale, timezone: what the page is told; empty for the service's own.
        mode: ``recording_proxy``; or ``tunnel`` for sites that refuse the recorder's TLS: the browser speaks
            to the server itself and reports what it sent and received.
        login_state: cookies and storage of a signed-in session as Playwright saves them
            (``{"cookies": […], "origins": […]}``). A secret: it never enters a log, an error or a package.
    """

    profile: str = "desktop"
    locale: str = ""
    timezone: str = ""
    mode: str = "recording_proxy"
    steps: tuple[Step, ...] = ()
    login_state: Mapping[str, Any] | None = field(default=None, repr=False)


def parse_options(
    value: Mapping[str, Any], *, login_state: Mapping[str, Any] | None = None
) -> CaptureOptions:
    """Options from their JSON form, ``{"profile", "locale", "timezone", "mode", "steps"}``, each optional.

    Raises:
        RefusedError: naming the member that is wrong and what it may be.
    """
    unknown = set(value) - {"profile", "locale", "timezone", "mode", "steps"}
    if unknown:
        raise RefusedError(
            f"a capture has no option {sorted(unknown)[0]!r}",
            what_to_do="options are profile, locale, timezone, mode, steps",
        )
    steps = value.get("steps", [])
    if not isinstance(steps, list) or len(steps) > MAX_STEPS:
        raise RefusedError(f"steps has to be a list of at most {MAX_STEPS}", what_to_do=_HOW_STEPS_ARE)
    locale, timezone = _text(value, "locale"), _text(value, "timezone")
    # What Chromium does not know it refuses only when the capture begins.
    if locale and re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", locale) is None:
        raise RefusedError(
            "locale has to be a language tag (BCP 47)", what_to_do="write it like en-GB or zh-CN"
        )
    if timezone and timezone not in available_timezones():
        raise RefusedError("timezone is not in the IANA database", what_to_do="write it like Europe/Berlin")
    return CaptureOptions(
        profile=_choice(value, "profile", PROFILES),
        locale=locale,
        timezone=timezone,
        mode=_choice(value, "mode", MODES),
        steps=tuple(_step(number, item) for number, item in enumerate(steps, start=1)),
        login_state=login_state,
    )


def options_json(options: CaptureOptions) -> dict[str, Any]:
    """The JSON form; without the login state, which is no part of any record."""
    return {
        "profile": options.profile,
        "locale": options.locale,
        "timezone": options.timezone,
        "mode": options.mode,
        "steps": [
            {name: getattr(step, name) for name in step.__dataclass_fields__} for step in options.steps
        ],
    }


def _step(number: int, value: Any) -> Step:
    if not isinstance(value, dict) or set(value) - {"action", "selector", "text", "value"}:
        raise RefusedError(
            f"step {number} has to be an object with action, selector, text, value", what_to_do=_HOW_STEPS_ARE
        )
    step = Step(
        action=_choice(value, "action", ACTIONS, where=f"step {number}: "),
        selector=_text(value, "selector"),
        text=_text(value, "text"),
        value=_text(value, "value"),
    )
    if not (step.selector or step.text or (step.action == "open" and step.value)):
        raise RefusedError(f"step {number} names no element", what_to_do="give a selector or a visible text")
    if step.action in ("choose", "fill") and not step.value:
        raise RefusedError(f"step {number} has no value", what_to_do=f"say what to {step.action}")
    return step


def _choice(value: Mapping[str, Any], name: str, allowed: Sequence[str], where: str = "") -> str:
    found = value.get(name, allowed[0] if not where else None)
    if found not in allowed:
        raise RefusedError(f"{where}{name} has to be one of {', '.join(allowed)}")
    return str(found)


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name, "")
    if not isinstance(found, str) or len(found) > _MAX_TEXT:
        raise RefusedError(f"{name} has to be a text of at most {_MAX_TEXT} characters")
    return found
