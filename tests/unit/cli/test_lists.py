"""Lists as people and spreadsheets write them."""

from __future__ import annotations

import pytest

from evidence_service.cli.lists import Row, read_list
from evidence_service.errors import RefusedError

A, B = "https://a.example/1", "https://b.example/2?x=1,2"
TABLE = f'url,label\r\n{A},店铺\r\n"{B}",b\r\n'
WANTED = (Row(2, A, "店铺"), Row(3, B, "b"))


def test_one_address_a_line() -> None:
    found = read_list(f"# addresses\n{A}\n\n  {B}  \n".encode(), "list.txt")
    assert found.rows == (Row(2, A), Row(4, B))
    assert found.notes == ()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (TABLE.encode(), ""),
        (TABLE.replace("\r\n", "\n").encode(), ""),
        (b"\xef\xbb\xbf" + TABLE.encode(), ""),
        (TABLE.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + TABLE.encode("utf-16-be"), "UTF-16"),
        (TABLE.encode("gb18030"), "GB 18030"),
        (
            TABLE.replace(f'"{B}"', B).replace("1,2", "1|2").replace(",", ";").replace("1|2", "1,2").encode(),
            "",
        ),
        (
            TABLE.replace(f'"{B}"', B)
            .replace("1,2", "1|2")
            .replace(",", "\t")
            .replace("1|2", "1,2")
            .encode("utf-16"),
            "UTF-16",
        ),
    ],
    ids=["lf", "crlf", "bom", "utf-16-le", "utf-16-be", "gbk", "semicolons", "tabs-utf-16"],
)
def test_tables_as_spreadsheets_write_them(data: bytes, note: str) -> None:
    found = read_list(data, "list.csv")
    assert found.rows == WANTED
    assert (note in "".join(found.notes)) if note else found.notes == ()


def test_excels_own_separator_line() -> None:
    found = read_list(f"sep=;\r\nURL;Label\r\n{A};x\r\n".encode(), "list.csv")
    assert found.rows == (Row(3, A, "x"),)


def test_options_of_rows_and_columns_that_are_not_used() -> None:
    text = f"label,URL,profile,Price\n a , {A} ,mobile,3\nb,{B.split(',', maxsplit=1)[0]},,\n"
    found = read_list(text.encode(), "list.csv")
    assert found.rows == (Row(2, A, "a", {"profile": "mobile"}), Row(3, B.split(",", maxsplit=1)[0], "b"))
    assert found.notes == ("list.csv: not used: the columns price",)


def test_bad_rows_are_named_and_refuse_no_others() -> None:
    text = f'url,label,profile\n{A},"two\nlines",\n,x,\n{A},y,tv\n{A},z,,more\n\n{A}\n'
    rows = read_list(text.encode(), "list.csv").rows
    assert [(row.line, row.problem) for row in rows] == [
        (2, ""),
        (4, "it has no address"),
        (5, "profile has to be one of desktop, mobile"),
        (6, "it has 4 cells, the first line has 3"),
        (8, ""),
    ]
    assert rows[0].label == "two\nlines"


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "list.csv", "names no address"),
        (b"url,label\n", "list.csv", "names no address"),
        (f"{A},label\n".encode(), "list.csv", "line 1: several columns"),
        (f"{A}\n{A}\tlabel\n".encode(), "list.txt", "line 2: several columns"),
        (f"url,URL\n{A},{A}\n".encode(), "list.csv", "line 1: two columns “url”"),
        (f'url,label\n{A},"x"y\n'.encode(), "list.csv", "line 2: not a table"),
        (f'url,label\n{A},x\n{A},"never closed\n'.encode(), "list.csv", "line 3: not a table"),
        (A.encode("utf-16-le"), "list.txt", "zero bytes"),
        (f"{A}\n".encode() + b"\xff\xff\n", "list.txt", "line 2: neither UTF-8 nor GB 18030"),
        (b"\xff\xfea", "list.txt", "begins as UTF-16 and is not"),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_refused_before_anything_is_ordered(
    data: bytes, name: str, words: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        read_list(data, name)
    assert words in caught.value.message
    assert caught.value.what_to_do


def test_an_encoding_that_is_given_is_used() -> None:
    assert read_list(f"url,label\n{A},é\n".encode("latin-1"), "x", encoding="latin-1").rows[0].label == "é"
    for encoding in ("ascii", "no-such"):
        with pytest.raises(RefusedError, match=f"cannot be read as {encoding}"):
            read_list(TABLE.encode(), "x", encoding=encoding)


@pytest.mark.parametrize(
    ("first", "note"),
    [
        ("网址,标签", ""),
        ("链接,备注", ""),
        ("URL,Label", ""),
        ("链接,label", ""),
        ("url,label,链接,备注", "not used: the columns 链接, 备注"),
        ("网址,标签,备注", "not used: the columns 备注"),
    ],
)
def test_chinese_headings(first: str, note: str) -> None:
    found = read_list(f"{first}\n{A},店铺\n".encode(), "list.csv")
    assert found.rows == (Row(2, A, "店铺"),)
    assert (note in "".join(found.notes)) if note else found.notes == ()


@pytest.mark.parametrize("magic", [b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")])
def test_a_workbook_is_named(magic: bytes) -> None:
    for encoding in (None, "latin-1"):
        with pytest.raises(RefusedError, match="Excel workbook") as caught:
            read_list(magic + bytes(100), "list.xlsx", encoding=encoding)
        assert "save it as “CSV UTF-8”" in caught.value.what_to_do


def test_an_address_that_is_there_again_is_said_and_stays() -> None:
    lines = [f"{A},,", f"{A},x,", f"{A},,mobile", *[f"{A},y,"] * 6]
    found = read_list("\n".join(["url,label,profile", *lines]).encode(), "list.csv")
    assert len(found.rows) == 9
    (note,) = found.notes
    assert "line 3 as line 2, line 5 as line 2" in note and "and 2 more); each line is captured" in note
    assert "line 4" not in note, "another profile is another capture"


def test_an_encoding_that_is_none_says_which_there_are() -> None:
    with pytest.raises(RefusedError, match="unknown encoding") as caught:
        read_list(b"x", "x", encoding="no-such")
    assert "gb18030" in caught.value.what_to_do
