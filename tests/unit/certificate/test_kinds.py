"""What is printed of a login capture, a tunnel, an upload, a digest: what is true of them, and nothing of a page."""

from __future__ import annotations

import pytest

from evidence_service.certificate.render import render
from tests.certificate.making import KINDS
from tests.unit.certificate.certified import capture, fact, facts_of, judged, squeezed, text_of, whole_record

RECORD = "urn:uuid:489994af-7a67-50c6-84a4-ced0efb3d502"
OTHER = "urn:uuid:00000000-7a67-50c6-84a4-ced0efb3d502"


def pages_of(kind: str, edition: str = "generic:en") -> list[str]:
    """Text of each page, without white space."""
    changes, files = KINDS[kind]()
    pdf = render(facts_of(judged(changes, files), files, edition))
    return [squeezed(page) for page in text_of(pdf).split("\f")[:-1]]


@pytest.mark.parametrize(
    ("edition", "said", "method"),
    [
        (
            "generic:en",
            "A login state was supplied with the order",
            "into which the supplied login state was loaded",
        ),
        ("generic:zh", "委托时提供了登录状态", "并在首次请求之前载入所提供的登录状态"),
    ],
)
def test_a_login_capture_says_so_on_page_one_and_in_its_method(edition: str, said: str, method: str) -> None:
    pages = pages_of("login", edition)
    assert squeezed(said) in pages[0]
    assert squeezed(method) in "".join(pages)
    for never in (
        "wrote the bytes to disk unchanged",
        "new and empty",
        "new empty profile",
        "原样写入磁盘",
        "全新空白",
    ):
        assert squeezed(never) not in "".join(pages), never


def test_nobody_swears_that_the_bytes_of_a_login_capture_are_unchanged() -> None:
    words = "".join(pages_of("login", "us:en"))
    assert squeezed("A login state supplied with the order was loaded into the profile") in words
    for never in ("wrote it to disk unchanged", "empty profile"):
        assert squeezed(never) not in words
    usual = "".join(pages_of("capture", "us:en"))
    assert squeezed("wrote it to disk unchanged") in usual
    assert squeezed("login state") not in usual


def test_a_tunnel_says_that_heads_are_rebuilt() -> None:
    words = "".join(pages_of("tunnel"))
    assert squeezed("their heads are rebuilt from the fields it named") in words
    assert squeezed("wrote the bytes to disk unchanged") not in words


def test_an_upload_is_named_and_examined_on_page_one() -> None:
    first, *_ = pages_of("upload")
    assert squeezed("photo of the box.png") in first
    assert squeezed("examined as png: nothing wrong found") in first
    assert squeezed("by the applicant, before receipt") in "".join(pages_of("upload"))


@pytest.mark.parametrize("kind", ["upload", "upload with findings", "digest"])
def test_nothing_of_a_page_is_printed_of_what_was_handed_in(kind: str) -> None:
    # Annex H says of each fact that is asked for that it is missing, and why.
    *pages, _ = pages_of(kind)
    for never in (
        "a web page showed",
        "Requested URL",
        "HTTP status",
        "No listing facts",
        "Three records of one session",
        "generated automatically",
        "page was not shown",
        "Capture clock",
    ):
        assert squeezed(never) not in "".join(pages), never


def test_a_record_of_the_archive_has_a_letter_in_the_table() -> None:
    listing = {
        "title": fact("Watch", f"JSON-LD block 1, name; bytes 1–2 of {RECORD}"),
        "price": fact("1", f"JSON-LD block 1, price; bytes 3–4 of {RECORD}"),
        "brand": fact("B", f"script state, brand; bytes 5–6 of {OTHER}"),
    }
    words = squeezed(
        text_of(render(facts_of(judged(capture(listing), whole_record()), whole_record(), "us:en")))
    )
    assert words.count(RECORD) == words.count(OTHER) == 1
    assert words.count(squeezed("of A")) >= 2
    assert squeezed(f"B {OTHER}") in words


def test_a_block_of_the_manifest_is_no_point_that_was_not_looked_at() -> None:
    changes, files = KINDS["capture"]()
    found = facts_of(judged(changes, files), files, "generic:en")
    point = next(item for item in found.values["environment"] if item["number"] == 14)
    point["status"] = "unavailable"
    assert squeezed("the manifest has it, block 19999990") in squeezed(text_of(render(found)))
