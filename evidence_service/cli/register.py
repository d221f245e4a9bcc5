"""Asking an issuer's register what became of a certificate; only where ``--register`` names one."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, urlsplit

import httpx

from evidence_service.errors import RefusedError, UnavailableError
from evidence_service.verify.register import LIMIT, CertificateFile, Registered, judge, not_checked
from evidence_service.verify.report import Report

_SECONDS = 20.0
_PATH = "/v1/register"
_UNKNOWN = b'"urn:evidence-service:problem:not-found"'
_AGAIN = "try again later; what was verified stands without it"


def with_register(report: Report, file: CertificateFile, register: str) -> Report:
    """A report with what the register says of the certificate, or why it could not be asked.

    Args:
        register: address of the service, or of one of its entries, as certificates print it.

    Raises:
        RefusedError: it is no such address.
    """
    asked = _base(register)
    found = _ask(file, asked)
    return replace(report, checks=(*report.checks, found.check), registered=found)


def _ask(file: CertificateFile, register: str) -> Registered:
    if file.number is None:
        return not_checked(
            register, None, "the seal states no certificate number", "ask the issuer about this file"
        )
    try:
        return judge(_entry(register, file.number), file, register=register)
    except UnavailableError as error:
        return not_checked(register, file.number, error.message, error.what_to_do or _AGAIN)


def _base(register: str) -> str:
    address = urlsplit(register)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise RefusedError(
            f"{register!r} is not the address of a register", what_to_do="write it like https://host"
        )
    return f"{address.scheme}://{address.netloc}{address.path.split(_PATH)[0].rstrip('/')}"


def _entry(register: str, number: str) -> bytes | None:
    """The register's answer, None when it has no such number; one connection, no redirects, a limit.

    Raises:
        UnavailableError: no answer that can be used.
    """
    url = f"{register}{_PATH}/{quote(number, safe='')}"
    try:
        with (
            httpx.Client(timeout=_SECONDS, trust_env=False) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
        ):
            data = b""
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > LIMIT:
                    break  # judged as no answer of a register
            # Another server at this address knows no such page either: only a register's own words count.
            if answer.status_code == httpx.codes.NOT_FOUND and _UNKNOWN in data:
                return None
            if answer.status_code != httpx.codes.OK:
                raise UnavailableError(f"the register at {register} answers with {answer.status_code}")
            return data
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise UnavailableError(
            f"the register at {register} does not answer: {error}", what_to_do=_AGAIN
        ) from error
