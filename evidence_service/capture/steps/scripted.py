"""The order's own steps: choose a variant, fill in where to ship to, open the shop's page.

Steps up to the first ``open`` act on the listing, before its picture and documents are kept: these show
the variant that was chosen. From the first ``open`` on, other pages are visited; they are pictured and
recorded, but the capture's DOM, facts and final address stay the listing's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import ElementHandle, Locator
from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.options import Step
from evidence_service.capture.steps.pictures import take_full, take_viewport
from evidence_service.capture.steps.scrolling import scroll_through
from evidence_service.capture.steps.settling import settle
from evidence_service.capture.steps.visit import Visit, first_line
from evidence_service.capture.steps.watching import Watch

_PATIENCE = 10.0


def split_steps(steps: tuple[Step, ...]) -> tuple[list[tuple[int, Step]], list[tuple[int, Step]]]:
    """Numbered steps on the listing, and those from the first ``open`` on."""
    numbered = list(enumerate(steps, start=1))
    first = next((at for at, (_, step) in enumerate(numbered) if step.action == "open"), len(numbered))
    return numbered[:first], numbered[first:]


def carry_out(visit: Visit, watch: Watch, steps: list[tuple[int, Step]]) -> bool:
    """Carry out steps in their order; the first that fails ends them and is named. Whether all were done."""
    for number, step in steps:
        visit.check_time()
        visit.progress(f"step {number}: {step.action}")
        before = watch.documents
        try:
            element = _do(visit, step)
            settle(visit, watch)
        except PlaywrightError as error:
            if visit.is_dead:
                raise
            visit.lacks(f"step {number} ({_named(step)}) failed: {first_line(error)}"[:400])
            return False
        if step.action == "open":
            scroll_through(visit, watch, tiles=False)
        path = f"screenshots/step-{number:02}.png"
        if step.action == "open":
            take_full(visit, path, "screenshot.step")
        else:
            take_viewport(visit, path, "screenshot.step")
        visit.log.add(
            "step",
            f"{number}: {_named(step)}",
            element=element,
            picture=path,
            address=visit.page.url,
            new_document=watch.documents != before,
        )
    return True


def _named(step: Step) -> str:
    what = step.selector or (f"“{step.text}”" if step.text else "")
    return " ".join(part for part in (step.action, what, f"→ {step.value}" if step.value else "") if part)


def _do(visit: Visit, step: Step) -> dict[str, Any] | None:
    """Carry out one step; the element it met, None where an address was opened."""
    if step.action == "open" and step.value and not (step.selector or step.text):
        _go(visit, step.value)
        return None
    locator = _locate(visit, step)
    locator.wait_for(state="visible", timeout=visit.left(_PATIENCE))
    handle = locator.element_handle(timeout=visit.left(_PATIENCE))
    described: dict[str, Any] = handle.evaluate(visit.script("describe_element"))
    if step.action == "click":
        handle.click(timeout=visit.left(_PATIENCE))
    elif step.action == "choose":
        _choose(visit, handle, step.value)
    elif step.action == "fill":
        handle.fill(step.value, timeout=visit.left(_PATIENCE))
    elif step.action == "open":
        target = described["href"]
        if not target:
            raise PlaywrightError("the element leads nowhere: it has no link")
        _go(visit, target)
    return described


def _locate(visit: Visit, step: Step) -> Locator:
    """The first visible element; with selector and text, the one of the selector's that has the text."""
    if step.selector:
        found = visit.page.locator(step.selector)
        found = found.filter(has_text=step.text) if step.text else found
    else:
        found = visit.page.get_by_text(step.text)
    return found.locator("visible=true").first


def _choose(visit: Visit, handle: ElementHandle, value: str) -> None:
    """An option by what is written on it, else by its value."""
    try:
        handle.select_option(label=value, timeout=visit.left(2))
    except PlaywrightError:
        handle.select_option(value=value, timeout=visit.left(_PATIENCE))


def _go(visit: Visit, target: str) -> None:
    address = urljoin(visit.page.url, target)
    if not address.startswith(("http://", "https://")):
        raise PlaywrightError(f"{address[:100]} is no http or https address")
    visit.page.goto(address, wait_until="commit", timeout=visit.left())
