"""Ordering the rows of a list and following them to their end, with progress on standard error."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evidence_service.cli.client import ServiceClient
from evidence_service.cli.results import Results
from evidence_service.cli.terminal import plain
from evidence_service.errors import ServiceUnavailableError

T = TypeVar("T")

PORTION = 200
"""Rows of one request."""
_PAGE = 1000
_POLL = 2.0
_LOOK_ANYWAY = 30.0
"""Seconds after which rows are looked at although no count has changed."""
_LINE_EVERY = 5.0
_DELAYS = (1, 2, 4, 8, 15, 30)
"""Seconds between tries while the service is away."""


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


def patiently(call: Callable[[], T]) -> T:
    """A call that outlasts a restart of the service."""
    for delay in _DELAYS:
        try:
            return call()
        except ServiceUnavailableError as error:
            click.echo(f"waiting {delay} s: {plain(error.message)}", err=True)
            time.sleep(delay)
    return call()


def summary(results: Results) -> dict[str, Any]:
    """Counts of a list: rows, accepted, refused, captured, certified, and how captures ended."""
    found = list(results)
    return {
        "rows": len(found),
        "accepted": sum(item.result == "accepted" for item in found),
        "refused": sum(item.result == "refused" for item in found),
        "captured": sum(bool(item.outcome) for item in found),
        "certified": sum(item.status == "certified" for item in found),
        "stopped": sum(item.result == "accepted" and bool(item.problem) for item in found),
        "outcomes": dict(sorted(Counter(item.outcome for item in found if item.outcome).items())),
    }


@contextmanager
def progress(results: Results) -> Iterator[Callable[[], None]]:
    """Something to call whenever the results have changed: bars in a terminal, plain lines elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bars(console) as bars:
            accepted = bars.add_task("accepted", total=len(results.wanted))
            captured = bars.add_task("captured", total=len(results.wanted))

            def draw() -> None:
                counts = summary(results)
                bars.update(accepted, completed=counts["accepted"] + counts["refused"])
                bars.update(
                    captured, completed=counts["captured"], total=counts["accepted"], words=_words(counts)
                )

            draw()
            yield draw
    else:
        yield _Lines(results)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[words]}"),
        console=console,
    )


class _Lines:
    """A line now and then."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._started = time.monotonic()
        self._captured_before = summary(results)["captured"]
        self._last = ("", 0.0)

    def __call__(self) -> None:
        counts = summary(self._results)
        line = f"{counts['rows']} rows: {counts['accepted']} accepted, {_words(counts)}"
        now, (last, at) = time.monotonic(), self._last
        over = counts["accepted"] == counts["certified"] + counts["stopped"]
        if line != last and (now - at >= _LINE_EVERY or over):
            click.echo(line + self._left(counts, now), err=True)
            self._last = (line, now)

    def _left(self, counts: Mapping[str, Any], now: float) -> str:
        done = counts["captured"] - self._captured_before
        left = counts["accepted"] - counts["stopped"] - counts["captured"]
        if done <= 0 or left <= 0:
            return ""
        seconds = (now - self._started) / done * left
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


def _words(counts: Mapping[str, Any]) -> str:
    ended = ", ".join(f"{count} {name}" for name, count in counts["outcomes"].items())
    captured = f"{counts['captured']} captured" + (f" ({ended})" if ended else "")
    stopped = f"{counts['stopped']} stopped"
    words = [f"{counts['refused']} refused", captured, f"{counts['certified']} certified"]
    return ", ".join([*words, stopped] if counts["stopped"] else words)
