"""Lists of listings from files: one address a line, or a table with a column ``url``.

Spreadsheets write tables in many ways: with a byte order mark or without, in UTF-16, in GB 18030 on a Chinese
system, separated by commas, semicolons or tabs. What can be told apart is read; what cannot is refused before
anything is ordered. Bad rows are kept, with what is wrong, and refuse no others.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence_service.capture.options import parse_options
from evidence_service.errors import RefusedError

OPTION_COLUMNS = ("profile", "locale", "timezone", "mode")
_KNOWN = ("url", "label", *OPTION_COLUMNS)
_NAMES = {"网址": "url", "链接": "url", "备注": "label", "标签": "label"}
"""Other headings of the same columns."""
_WORKBOOKS = (b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1"))
"""First bytes of .xlsx and .ods (ZIP), and of .xls (Compound File Binary)."""
_TWICE_NAMED = 5
_SEPARATORS = (",", ";", "\t")
_SAVE_AS = "save it as “CSV UTF-8”, or give --encoding"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list.

    Attributes:
        line: where it begins in the file, from 1.
        options: those the row names itself.
        problem: why it cannot be ordered; empty when it can.
    """

    line: int
    url: str
    label: str = ""
    options: dict[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class UrlList:
    """Rows in the order of the file, and what the reader should know about how it was read."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def read_list(data: bytes, name: str, *, encoding: str | None = None) -> UrlList:
    """Read a list.

    Args:
        name: of the file, for messages.
        encoding: of the file; None finds out.

    Raises:
        RefusedError: it cannot be read as a whole; nothing of it is used.
    """
    if data.startswith(_WORKBOOKS):
        raise RefusedError(
            f"{name} is an Excel workbook or another archive, and no text",
            what_to_do="save it as “CSV UTF-8” and give that file",
        )
    text, notes = decode(data, name, encoding)
    if text[:4].lower() == "sep=" and len(text) > 4:
        # Excel's own first line, which names the separator.
        rows = _table(text, text[4], name, notes, skip=1)
    elif (separator := _separator(text)) is not None:
        rows = _table(text, separator, name, notes)
    else:
        rows = list(_plain(text, name))
    if not rows:
        raise RefusedError(f"{name} names no address", what_to_do="write one a line, or a column “url”")
    return UrlList(tuple(rows), (*notes, *_repeated(rows, name)))


def _repeated(rows: Sequence[Row], name: str) -> Iterator[str]:
    """A note where an address is there again: each line is an order of its own, told apart by its label."""
    first: dict[tuple[str, ...], int] = {}
    again: list[str] = []
    for row in rows:
        before = first.setdefault(
            (row.url, *(f"{key}={row.options[key]}" for key in sorted(row.options))), row.line
        )
        if before != row.line and not row.problem:
            again.append(f"line {row.line} as line {before}")
    if again:
        more = f" and {len(again) - _TWICE_NAMED} more" if len(again) > _TWICE_NAMED else ""
        yield (
            f"{name} names an address again ({', '.join(again[:_TWICE_NAMED])}{more}); each line is captured"
        )


def decode(data: bytes, name: str, encoding: str | None) -> tuple[str, list[str]]:
    """Text of a file, and what the reader should know about how it was read; arguments as above.

    Raises:
        RefusedError: it is no text in an encoding that can be told.
    """
    if encoding is not None:
        try:
            return data.decode(encoding).removeprefix("\ufeff"), []
        except (LookupError, UnicodeDecodeError) as error:
            raise RefusedError(
                f"{name} cannot be read as {encoding}: {error}",
                what_to_do="leave --encoding out, or name one: utf-8, utf-16, gb18030, big5, windows-1252",
            ) from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16"), [f"{name} was read as UTF-16"]
        except UnicodeDecodeError as error:
            raise RefusedError(f"{name} begins as UTF-16 and is not: {error}", what_to_do=_SAVE_AS) from error
    if b"\0" in data:
        raise RefusedError(
            f"{name} has zero bytes in it: it is UTF-16 without a mark, or no text",
            what_to_do="save it as “CSV UTF-8”, or give --encoding utf-16-le",
        )
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    try:
        return data.decode("gb18030"), [
            f"{name} is not UTF-8 (line {line}) and was read as GB 18030; look at the labels, and give "
            "--encoding where they are wrong"
        ]
    except UnicodeDecodeError:
        raise RefusedError(f"{name}, line {line}: neither UTF-8 nor GB 18030", what_to_do=_SAVE_AS) from None


def _separator(text: str) -> str | None:
    """Separator of a table whose first line has a column ``url``; None when it has none."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return next((item for item in _SEPARATORS if "url" in _names(first, item)), None)


def _names(line: str, separator: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=separator), [])
    return _headings(cells)


def _headings(cells: Sequence[str]) -> list[str]:
    """Names of columns; another heading stands for one of ours where nothing else does."""
    names = [cell.strip().lower() for cell in cells]
    for at, name in enumerate(names):
        ours = _NAMES.get(name)
        if ours is not None and ours not in names:
            names[at] = ours
    return names


def _plain(text: str, name: str) -> Iterator[Row]:
    table = name.lower().endswith((".csv", ".tsv"))
    for number, line in enumerate(text.splitlines(), start=1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        if "\t" in url or (table and ("," in url or ";" in url)):
            raise RefusedError(
                f"{name}, line {number}: several columns, but the first line names no column “url”",
                what_to_do="add a first line such as url,label",
            )
        yield Row(number, url)


def _table(text: str, separator: str, name: str, notes: list[str], *, skip: int = 0) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    header: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if line <= skip or not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells, name, line, notes)
            else:
                rows.append(_row(line, header, cells))
    except csv.Error as error:
        raise RefusedError(
            f"{name}, line {begins}: not a table as spreadsheets write them ({error})",
            what_to_do="look at the quotation marks of this line; nothing was ordered from here on",
        ) from error
    return rows


def _header(cells: Sequence[str], name: str, line: int, notes: list[str]) -> list[str]:
    header = _headings(cells)
    twice = next((item for item in _KNOWN if header.count(item) > 1), None)
    if "url" not in header or twice is not None:
        raise RefusedError(
            f"{name}, line {line}: {'no column “url”' if twice is None else f'two columns “{twice}”'}",
            what_to_do="name the columns url, label, profile, locale, timezone, mode; only url is needed",
        )
    others = [item for item in header if item not in _KNOWN]
    if others:
        notes.append(f"{name}: not used: the columns {', '.join(others)}")
    return header


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    values = {key: cell.strip() for key, cell in zip(header, cells, strict=False)}
    options = {key: values[key] for key in OPTION_COLUMNS if values.get(key)}
    problem = ""
    if len(cells) > len(header):
        problem = f"it has {len(cells)} cells, the first line has {len(header)}"
    elif not values.get("url"):
        problem = "it has no address"
    else:
        try:
            parse_options(options)
        except RefusedError as error:
            problem = error.message
    return Row(line, values.get("url", ""), values.get("label", ""), options, problem)


def results_beside(list_name: str) -> Path:
    """Where results are written when nothing else is said."""
    return Path("capture-results.csv") if list_name == "-" else Path(f"{list_name}.results.csv")
