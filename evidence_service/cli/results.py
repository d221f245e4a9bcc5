"""What became of every row of a list: a table for people, and the memory that lets a command go on.

The file is written before anything is ordered and after every answer, whole and in one step: whoever is
killed finds it as it last was. A row's ``order_key`` is made from the file's own random beginning and from
what the row says, so the same command orders under the same keys, and the service captures nothing twice.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evidence_service.cli.lists import Row
from evidence_service.errors import RefusedError


@dataclass(slots=True)
class Result:
    """One row; its members are the columns.

    Attributes:
        result: empty before there is an answer, then ``accepted`` or ``refused``.
        status, outcome: of the evidence; reasons: why it ended so.
        problem: why it was refused, or why the work on it stopped.
        batch_by: what its receipt promises.
    """

    line: str
    label: str
    url: str
    result: str = ""
    evidence_id: str = ""
    status: str = ""
    outcome: str = ""
    reasons: str = ""
    problem: str = ""
    batch_by: str = ""
    list_id: str = ""
    order_key: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.result == "refused" or self.status == "certified" or bool(self.problem)


COLUMNS = tuple(item.name for item in fields(Result))


class Results:
    """The results of one list.

    Args:
        path: continued when it is there.

    Raises:
        RefusedError: it is there and no results file.
    """

    def __init__(self, path: Path, rows: Iterable[Row]) -> None:
        self.path = path
        before = _read(path) if path.exists() else []
        self._run = before[0].order_key.split("-")[0] if before else secrets.token_hex(8)
        self._known = {item.order_key: item for item in before}
        self.wanted: dict[str, Row] = {}
        seen: Counter[str] = Counter()
        for row in rows:
            said = json.dumps([row.url, row.label, row.options], sort_keys=True)
            seen[said] += 1
            key = f"{self._run}-{hashlib.sha256(f'{said} {seen[said]}'.encode()).hexdigest()[:32]}"
            self.wanted[key] = row
            result = self._known.setdefault(key, Result(str(row.line), row.label, row.url, order_key=key))
            result.line = str(row.line)
            if row.problem:
                result.result, result.problem = "refused", row.problem
        self.save()

    def __iter__(self) -> Iterator[Result]:
        return iter(self._known[key] for key in self.wanted)

    @property
    def run(self) -> str:
        """Beginning of every key."""
        return self._run

    def to_order(self) -> list[str]:
        """Keys of rows that are not accepted yet and can be ordered; refused ones are tried again."""
        return [
            key
            for key, row in self.wanted.items()
            if not row.problem and self._known[key].result != "accepted"
        ]

    def answered(self, keys: Iterable[str], answer: Mapping[str, Any]) -> None:
        """Take over what the service answered to an order of these rows."""
        for key, row in zip(keys, answer["rows"], strict=True):
            result = self._known[key]
            result.result = row["result"]
            result.list_id = answer["id"]
            if row["problem"] is None:
                result.evidence_id, result.problem = row["id"], ""
                result.batch_by = row["receipt"]["batch_by"]
                result.status = result.status or "accepted"
            else:
                result.problem = problem_words(row["problem"])
        self.save()

    def lists(self) -> list[str]:
        """Lists on the service that hold accepted rows."""
        return list(dict.fromkeys(item.list_id for item in self if item.result == "accepted"))

    def moved(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take over where rows of the service stand."""
        by_id = {item.evidence_id: item for item in self._known.values() if item.evidence_id}
        for row in rows:
            result = by_id.get(row["id"] or "")
            if result is not None:
                result.status = row["status"]
                result.outcome = row["outcome"] or ""
                result.reasons = "; ".join(row["reasons"])
                result.problem = row["certificate_refused"] or ""

    def save(self) -> None:
        """Write the file; when this returns, it is durable."""
        ordered = [*self, *(item for key, item in self._known.items() if key not in self.wanted)]
        write_table(self.path, COLUMNS, ({name: getattr(item, name) for name in COLUMNS} for item in ordered))


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a table for spreadsheets in one step; when this returns, it is durable."""
    text = io.StringIO(newline="")
    # A byte order mark, so that spreadsheets read the labels as they are.
    text.write("\ufeff")
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def problem_words(problem: Mapping[str, Any]) -> str:
    """A problem document in one line."""
    advice = problem.get("what_to_do")
    return f"{problem['title']} ({advice})" if advice else str(problem["title"])


def _read(path: Path) -> list[Result]:
    try:
        table = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True))
        if tuple(table[0]) != COLUMNS or not all(row[-1] for row in table[1:]):
            raise ValueError
        return [Result(*row) for row in table[1:]]
    except (ValueError, IndexError, TypeError, csv.Error) as error:
        raise RefusedError(
            f"{path} is not a results file of “evidence capture”, or was changed by another program",
            what_to_do="give another file with --results",
        ) from error
