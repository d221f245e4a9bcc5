"""Each defect of an email has its code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from evidence_service.importing import email_message
from tests.unit.importing.examined import codes, examined, wrong

FIELDS = {
    "Received": "from a.example by b.example; Tue, 24 Nov 2026 08:31:00 +0000 (UTC)",
    "DKIM-Signature": "v=1; a=rsa-sha256; d=shop.example; s=x; b=AA==",
    "From": "Seller <seller@shop.example>",
    "To": "buyer@example.org",
    "Subject": "Your order",
    "Date": "Tue, 24 Nov 2026 08:30:00 +0000",
    "Message-ID": "<1@shop.example>",
    "MIME-Version": "1.0",
}
TEXT = "Content-Type: text/plain; charset=utf-8\r\n\r\nThank you\r\n"
PARTS = (
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + TEXT + "--b\r\n"
    'Content-Type: image/png; name="a.png"\r\nContent-Disposition: attachment; filename="a.png"\r\n'
    "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
)


def made(body: str = TEXT, more: str = "", **changes: str | None) -> bytes:
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return (lines + more + body).encode("utf-8", "surrogateescape")


CASES: dict[str, Callable[[], bytes]] = {
    "email.defect": lambda: made(PARTS.replace("--b--", "")),
    "email.header_missing": lambda: made(Message_ID=None),
    "email.header_repeated": lambda: made(more="From: other@example.org\r\n"),
    "email.date": lambda: made(Date="Tue, 24 Nov 2026 11:30:00 +0000"),
    "email.received_order": lambda: made(
        more="Received: from x by a.example; Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    ),
    "email.no_received": lambda: made(Received=None),
    "email.charset": lambda: made(TEXT.replace("utf-8", "no-such")),
    "email.signature_not_checked": made,
    "email.unsigned": lambda: made(DKIM_Signature=None),
}


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (made(Date="yesterday"), "email.date"),
        (made(Date="Tue, 24 Nov 2026 08:30:00"), "email.date"),
        (made(Received="from a; never"), "email.date"),
        (made(TEXT.replace("utf-8", "ascii").replace("Thank", "D\u00e4nk")), "email.charset"),
        (made(Subject="Bestellung f\u00fcr Sie"), "email.charset"),
    ],
)
def test_more_that_is_wrong(data: bytes, code: str) -> None:
    assert code in wrong(data)


@pytest.mark.parametrize("data", [made(), made(PARTS), b"From a@b Tue Nov 24 08:30:00 2026\n" + made()])
def test_nothing_is_wrong_with_what_is_genuine(data: bytes) -> None:
    assert (examined(data).kind, wrong(data)) == ("email", set())


def test_attachments_have_their_digests() -> None:
    facts = examined(made(PARTS)).facts
    assert facts["attachments"] == [
        f"a.png (image/png, 5 bytes) SHA-256 {hashlib.sha256(b'hello').hexdigest()}"
    ]
    assert facts["From"] == FIELDS["From"]


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email_message, "MAX_PARTS", 1)
    assert "limit" in wrong(made(PARTS))
    monkeypatch.setattr(email_message, "SIZE_LIMIT", 10)
    assert wrong(made()) == {"limit"}
