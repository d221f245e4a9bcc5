"""Every level with every kind of key, judged by others; and what happens when a level cannot be reached."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from evidence_service.certificate.sealing import Level, Sealed, SealKey
from evidence_service.certificate.sealing.levels import judged
from evidence_service.certificate.sealing.revisions import Stamp
from evidence_service.errors import (
    AuthorityUnavailableError,
    MalformedError,
    MismatchError,
    UnavailableError,
)
from tests.ades import level_by_pyhanko
from tests.sealing import nobody_publishes
from tests.unit.certificate.sealing.conftest import KINDS, SealIssuer, file_key

LEVELS: tuple[Level, ...] = ("PAdES B-B", "PAdES B-T", "PAdES B-LT", "PAdES B-LTA")
Seals = Callable[..., Sealed]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("custody", ["pkcs12", "pkcs11", "remote"])
def test_each_key_reaches_each_level(
    custody: str,
    kind: str,
    make_key: Callable[[str, str], SealKey],
    sealed: Seals,
    plain: bytes,
    roots: Sequence[bytes],
    tmp_path: Path,
) -> None:
    key = make_key(custody, kind)
    for number, level in enumerate(LEVELS):
        done = sealed(key, level)
        assert done.level == level
        assert level_by_pyhanko(done.pdf, roots) == level
        assert done.pdf.startswith(plain)
        assert done.pdf.count(b"%%EOF") == max(2, number + 1)
    (tmp_path / "c.pdf").write_bytes(done.pdf)
    seen = run("pdfsig", tmp_path / "c.pdf")
    assert seen.count("Signature is Valid") == 1
    assert "ArchiveTimeStamp1" in seen
    assert "No syntax or stream encoding errors" in run("qpdf", "--check", tmp_path / "c.pdf")


def test_a_higher_level_begins_as_the_lower_one_does(
    make_key: Callable[[str, str], SealKey], sealed: Seals, plain: bytes
) -> None:
    pdf = sealed(make_key("pkcs12", "p256"), "PAdES B-LTA").pdf
    reader = PdfFileReader(io.BytesIO(pdf))
    assert reader.total_revisions == 4
    assert [judged(_first(pdf, count)).level for count in (2, 3, 4)] == [
        "PAdES B-T",
        "PAdES B-LT",
        "PAdES B-LTA",
    ]
    with pytest.raises(MalformedError, match="revisions"):
        judged(plain)


def _first(pdf: bytes, revisions: int) -> bytes:
    end = 0
    for _ in range(revisions):
        end = pdf.index(b"%%EOF", end) + len(b"%%EOF\n")
    return pdf[:end]


def test_the_level_is_judged_from_the_bytes(make_key: Callable[[str, str], SealKey], sealed: Seals) -> None:
    pdf = sealed(make_key("pkcs12", "p256"), "PAdES B-LTA").pdf
    assert judged(pdf).level == "PAdES B-LTA"
    for position in (100, len(pdf) // 2, len(pdf) - 40):
        changed = bytearray(pdf)
        changed[position] ^= 1
        with pytest.raises((MismatchError, MalformedError)):
            judged(bytes(changed))


def test_without_published_lists_the_level_is_b_t_and_says_so(
    issuer: SealIssuer, sealed: Seals, roots: Sequence[bytes], tmp_path: Path
) -> None:
    silent = file_key(issuer.issued("names no list", "p256", names_list=False), tmp_path)
    done = sealed(silent, "PAdES B-LTA")
    assert done.level == level_by_pyhanko(done.pdf, roots) == "PAdES B-T"
    assert done.pdf.count(b"%%EOF") == 2


def test_under_an_unknown_issuer_the_level_is_b_t_and_says_so(
    make_key: Callable[[str, str], SealKey], sealed: Seals
) -> None:
    assert sealed(make_key("pkcs12", "p256"), "PAdES B-LT", revocation=nobody_publishes).level == "PAdES B-T"


def test_a_revoked_certificate_seals_nothing(issuer: SealIssuer, sealed: Seals, tmp_path: Path) -> None:
    revoked = file_key(issuer.issued("revoked", "p256"), tmp_path)
    revoked._sign = _never  # type: ignore[method-assign]
    for level in ("PAdES B-LT", "PAdES B-LTA"):
        with pytest.raises(MismatchError, match="of revoked is revoked"):
            sealed(revoked, level, stamp=_never)


def _never(data: bytes) -> bytes:
    raise AssertionError("not to be asked")


@pytest.mark.parametrize("answered", [0, 1])
def test_an_authority_that_is_down_leaves_nothing_half_made(
    answered: int, make_key: Callable[[str, str], SealKey], sealed: Seals, stamp: Stamp
) -> None:
    asked: list[bytes] = []

    def failing(digest: bytes) -> bytes:
        asked.append(digest)
        if len(asked) > answered:
            raise AuthorityUnavailableError("down")
        return stamp(digest)

    with pytest.raises(AuthorityUnavailableError):
        sealed(make_key("pkcs12", "p256"), "PAdES B-LTA", stamp=failing)
    assert len(asked) == answered + 1
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_publisher_that_is_down_leaves_nothing_half_made(
    answered: int, make_key: Callable[[str, str], SealKey], sealed: Seals, revocation: Any
) -> None:
    asked: list[bool] = []

    def failing(path: Any, *, timestamping: bool, at: Any = None) -> Any:
        asked.append(timestamping)
        if len(asked) > answered:
            raise UnavailableError("down")
        return revocation(path, timestamping=timestamping, at=at)

    with pytest.raises(UnavailableError):
        sealed(make_key("pkcs12", "p256"), "PAdES B-LTA", revocation=failing)
    assert asked == [False, False, True][: answered + 1]


def test_a_token_that_does_not_fit_is_refused(make_key: Callable[[str, str], SealKey], sealed: Seals) -> None:
    with pytest.raises(AuthorityUnavailableError, match="room for 16384"):
        sealed(make_key("pkcs12", "p256"), "PAdES B-T", stamp=lambda digest: bytes(16385))
