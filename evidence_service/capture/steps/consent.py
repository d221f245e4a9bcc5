"""Consent dialogs: found by rules, refused where that is possible, pictured before and after, never mistaken.

A dialog counts when it belongs to a known consent manager, or when it lies over the page, speaks of
cookies or privacy and of nothing with an effect of its own (age, terms, money). Pressed is the button that
refuses or takes only what is necessary; where there is none, the one that agrees, which the log says. One
that only leads to settings is not followed: such a dialog stays, and is seen on the pictures.
"""

from __future__ import annotations

from playwright.sync_api import ElementHandle, JSHandle
from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.steps.pictures import take_viewport
from evidence_service.capture.steps.visit import Visit, first_line

_ROUNDS = 3
_PATIENCE = 2.0
_MAX_FRAMES = 20


def dismiss_consent(visit: Visit) -> None:
    """Dismiss the consent dialogs the page shows, one after the other."""
    dismissed = sum(1 for entry in visit.log.entries if entry["action"] == "consent" and "button" in entry)
    for _ in range(_ROUNDS):
        found = _find(visit)
        if found is None:
            if dismissed == 0:
                visit.log.add("consent", "no consent dialog was seen")
            return
        dismissed += 1
        if not _press(visit, found, "" if dismissed == 1 else f"-{dismissed}"):
            return


def _press(visit: Visit, found: JSHandle, number: str) -> bool:
    visit.progress("dismissing the consent dialog")
    told = {name: found.get_property(name).json_value() for name in ("text", "dialog", "manager", "choice")}
    button = found.get_property("button").as_element()
    if button is None:
        return False
    take_viewport(visit, f"screenshot-before-consent{number}.png", "screenshot.before_consent")
    by = f" of {told['manager']}" if told["manager"] else ""
    try:
        button.click(timeout=visit.left(5))
    except PlaywrightError as error:
        visit.log.add("consent", f"the button “{told['text']}” could not be pressed: {first_line(error)}")
        return False
    gone = _is_gone(visit, button)
    visit.log.add(
        "consent",
        f"{told['choice']}: pressed “{told['text']}” in the dialog{by} “{told['dialog']}”"
        + ("" if gone else "; the dialog is still shown"),
        button=told["text"],
        choice=told["choice"],
        manager=told["manager"],
    )
    take_viewport(visit, f"screenshot-after-consent{number}.png", "screenshot.after_consent")
    return gone


def _is_gone(visit: Visit, button: ElementHandle) -> bool:
    try:
        button.wait_for_element_state("hidden", timeout=visit.left(_PATIENCE))
    except PlaywrightError as error:
        # The button's frame or document went away with the dialog.
        return "Timeout" not in error.message
    return True


def _find(visit: Visit) -> JSHandle | None:
    """The dialog of the page itself, else of a frame that lies over it."""
    script = visit.script("find_consent")
    found = visit.page.evaluate_handle(script, {"framed": False})
    if _is_found(found):
        return found
    for element in visit.page.query_selector_all("iframe")[:_MAX_FRAMES]:
        if not element.evaluate(visit.script("floats")):
            continue
        frame = element.content_frame()
        if frame is None:
            continue
        found = frame.evaluate_handle(script, {"framed": True})
        if _is_found(found):
            return found
    return None


def _is_found(handle: JSHandle) -> bool:
    # A handle of null has no properties.
    return bool(handle.get_properties())
