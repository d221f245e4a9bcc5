"""Faults of an S3 service, between the SDK and the network."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

Send = Callable[[Any], AWSResponse]
Fault = Callable[[Any, Send], AWSResponse]


@contextmanager
def between(
    client: Any, method: str, fault: Fault, *, times: int = 1, query: str = ""
) -> Iterator[list[str]]:
    """While the block lasts, the first requests of an HTTP method meet a fault; the addresses they went to."""
    session = client._endpoint.http_session
    send, met = session.send, []

    def meet(request: Any) -> AWSResponse:
        if request.method == method and query in request.url and len(met) < times:
            met.append(request.url)
            return fault(request, send)
        return send(request)

    session.send = meet
    try:
        yield met
    finally:
        session.send = send


def lost_before(request: Any, send: Send) -> AWSResponse:
    """The connection ends before the request arrives."""
    raise ConnectionClosedError(endpoint_url=request.url)


def lost_after(request: Any, send: Send) -> AWSResponse:
    """The request is carried out, its reply never arrives."""
    send(request).content  # noqa: B018 - reads it to the end
    raise ConnectionClosedError(endpoint_url=request.url)


def refused(status: int, code: str) -> Fault:
    """An error as S3 words it."""

    def fault(request: Any, send: Send) -> AWSResponse:
        words = f"<Error><Code>{code}</Code><Message>arn:aws:iam::1234:role/x may not</Message></Error>"
        return _answer(request, status, {"content-type": "application/xml"}, words.encode())

    return fault


def page_of_a_proxy(request: Any, send: Send) -> AWSResponse:
    """HTML with status 200."""
    return _answer(request, 200, {"content-type": "text/html"}, b"<html>Maintenance</html>")


def body(change: Callable[[bytes], bytes], *, told: bool = False) -> Fault:
    """The content is changed on its way, or where it lies; ``told``: and its length is said as it is."""

    def fault(request: Any, send: Send) -> AWSResponse:
        answer = send(request)
        data = change(answer.content)
        headers = dict(answer.headers)
        if told:
            headers["Content-Length"] = str(len(data))
        return _answer(request, answer.status_code, headers, data)

    return fault


def without_headers(*names: str) -> Fault:
    """An answer that lacks headers."""

    def fault(request: Any, send: Send) -> AWSResponse:
        answer = send(request)
        for name in names:
            answer.headers.pop(name, None)
        return answer

    return fault


class _Raw(io.BytesIO):
    def stream(self, amt: int = 1024, decode_content: bool | None = None) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


def _answer(request: Any, status: int, headers: dict[str, str], data: bytes) -> AWSResponse:
    from botocore.compat import HTTPHeaders

    return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), _Raw(data))
