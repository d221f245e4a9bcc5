"""Ordering the rows of a list and following them to their end, with progress on standard error."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evidence_service.cli.client import ServiceClient
from evidence_service.cli.ordering import CAPTURED
from evidence_service.cli.patience import patiently
from evidence_service.cli.results import Results
from evidence_service.cli.terminal import cell

PORTION = 200
"""Rows of one request."""
_PAGE = 1000
_POLL = 2.0
_LOOK_ANYWAY = 30.0
"""Seconds after which rows are looked at although no count has changed."""
_LINE_EVERY = 5.0


def order_rows(
    client: ServiceClient, results: Results, order: Mapping[str, Any], show: Callable[[], None]
) -> None:
    """Order everything that is not accepted yet, a portion at a time.

    Args:
        order: what the request says besides its rows.
    """
    keys = results.to_order()
    for start in range(0, len(keys), PORTION):
        portion = keys[start : start + PORTION]
        rows = [
            {
                "url": row.url,
                "label": row.label,
                "key": key,
                **({"options": row.options} if row.options else {}),
            }
            for key, row in ((key, results.wanted[key]) for key in portion)
        ]
        request, once = {**order, "rows": rows}, secrets.token_hex(16)
        answer = patiently(partial(client.create, "/v1/capture-lists", key=once, json=request))
        results.answered(portion, answer)
        show()


def follow(client: ServiceClient, results: Results, show: Callable[[], None]) -> None:
    """Wait until every accepted row is certified or has ended otherwise; the results are kept up to date."""
    seen: dict[str, tuple[object, float]] = {}
    while not all(item.over for item in results):
        changed = False
        for name in results.lists():
            counts = patiently(partial(client.call, "GET", f"/v1/capture-lists/{name}")).json()
            before, at = seen.get(name, (None, 0.0))
            if counts != before or time.monotonic() - at > _LOOK_ANYWAY:
                results.moved(_rows(client, name))
                seen[name] = (counts, time.monotonic())
                changed = True
        if changed:
            results.save()
            show()
        else:
            time.sleep(_POLL)


def _rows(client: ServiceClient, list_id: str) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        params = {"after": after, "limit": _PAGE}
        call = partial(client.call, "GET", f"/v1/capture-lists/{list_id}/rows", params=params)
        page = patiently(call).json()
        yield from page["items"]
        after = page["next"]


def summary(results: Results) -> dict[str, Any]:
    """Counts of a list: rows, answers to them, preserved, certified, and how captures ended.

    ``captured`` counts what was captured whole; what ended otherwise (a wall, a removed listing, a part of a
    page) is preserved and in ``outcomes``, and is no capture of a listing.
    """
    found = list(results)
    outcomes = Counter(item.outcome for item in found if item.outcome)
    return {
        "rows": len(found),
        "accepted": sum(item.result == "accepted" for item in found),
        "refused": sum(item.result == "refused" for item in found),
        "waiting": sum(item.result == "accepted" and not (item.outcome or item.problem) for item in found),
        "preserved": outcomes.total(),
        "captured": outcomes[CAPTURED],
        "certified": sum(item.status == "certified" for item in found),
        "stopped": sum(item.result == "accepted" and bool(item.problem) for item in found),
        "outcomes": dict(sorted(outcomes.items())),
    }


def words(counts: Mapping[str, Any]) -> str:
    """The same in one line: every row once, then how many are preserved and certified."""
    stopped = counts["accepted"] - counts["waiting"] - counts["preserved"]
    ended = sorted(counts["outcomes"].items(), key=lambda item: (item[0] != CAPTURED, item[0]))
    places = [("accepted", counts["waiting"]), *ended, ("refused", counts["refused"]), ("stopped", stopped)]
    where = ", ".join(f"{count} {name}" for name, count in places if count)
    rows = f"{counts['rows']} {'row' if counts['rows'] == 1 else 'rows'}"
    kept = f"{counts['preserved']} preserved, {counts['certified']} certified"
    return f"{rows}: {where or 'nothing ordered'} · {kept}"


@contextmanager
def progress(results: Results, *, wait: bool) -> Iterator[Callable[[], None]]:
    """Something to call whenever the results have changed: bars in a terminal, plain lines elsewhere.

    How it ends is no progress: the command says that itself.

    Args:
        wait: whether it ends when everything is certified, or when everything is answered.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        bars = _bars(console)
        answered = bars.add_task("answered", total=len(results.wanted))
        preserved = bars.add_task("preserved", total=len(results.wanted))
        with Live(console=console, transient=True) as live:

            def draw() -> None:
                counts = summary(results)
                bars.update(answered, completed=counts["accepted"] + counts["refused"])
                bars.update(
                    preserved, completed=counts["preserved"], total=counts["accepted"] or counts["rows"]
                )
                live.update(Group(bars, cell(words(counts))), refresh=True)

            draw()
            yield draw
    else:
        yield _Lines(results, wait=wait)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )


class _Lines:
    """A line now and then."""

    def __init__(self, results: Results, *, wait: bool) -> None:
        self._results = results
        self._wait = wait
        self._started = time.monotonic()
        self._before = summary(results)["preserved"]
        self._last = ("", 0.0)

    def __call__(self) -> None:
        counts = summary(self._results)
        line = words(counts)
        now, (last, at) = time.monotonic(), self._last
        if line != last and now - at >= _LINE_EVERY and not self._over():
            click.echo(line + self._left(counts, now), err=True)
            self._last = (line, now)

    def _over(self) -> bool:
        return all(item.over or (item.result and not self._wait) for item in self._results)

    def _left(self, counts: Mapping[str, Any], now: float) -> str:
        done, left = counts["preserved"] - self._before, counts["waiting"]
        if done <= 0 or left <= 0:
            return ""
        seconds = (now - self._started) / done * left
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"
