"""Framing agrees with h11, whatever the pieces a response comes in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_service.capture.framing import HeadReader, ResponseFraming, parse_request, request_body
from evidence_service.capture.recorder import Recorder
from evidence_service.errors import EvidenceError
from tests.accepting import Acceptor
from tests.unit.capture.recording.raw import allowing, get, now, received

TOKEN = st.text("abcXYZ-09", min_size=1, max_size=12).map(str.encode)
VALUE = st.binary(max_size=30).map(lambda data: bytes(byte for byte in data if byte > 0x20 and byte != 0x7F))
FIELDS = st.lists(st.tuples(TOKEN.map(lambda name: b"X-" + name), VALUE), max_size=5)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """Method, bytes of a legal response, and whether the end of the connection ends it."""
    method = draw(st.sampled_from([b"GET", b"GET", b"GET", b"HEAD", b"POST"]))
    status = draw(st.sampled_from([200, 200, 200, 204, 301, 304, 404, 500]))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    hints = draw(st.integers(0, 2)) if version == b"1.1" else 0
    body = draw(st.binary(max_size=400))
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in draw(FIELDS))
    kind = draw(st.sampled_from(["length", "chunked", "close"] if version == b"1.1" else ["length", "close"]))
    empty = method == b"HEAD" or status in (204, 304)
    payload = body
    if kind == "length":
        fields += b"Content-Length: %d\r\n" % len(body)
    elif kind == "chunked":
        fields += b"Transfer-Encoding: chunked\r\n"
        payload = draw(chunks(body))
    heads = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * hints
    head = b"HTTP/%s %d Words\r\n" % (version, status) + fields + b"\r\n"
    return method, heads + head + (b"" if empty else payload), kind == "close" and not empty


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    coded = b""
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from([b"", b";a", b';a="b c"']))
        coded += b"%x" % size + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return coded + b"0\r\n" + draw(st.sampled_from([b"", b"T: 1\r\n", b"T: 1\r\nU:\r\n"])) + b"\r\n"


@st.composite
def in_pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]


def as_h11_sees_it(method: bytes, data: bytes, *, closes: bool) -> tuple[int, bool, int]:
    """Status, whether the response is complete, and how many bytes came after it."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target=b"/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    if closes:
        parser.receive_data(b"")
    status, complete = 0, False
    while not complete:
        event = parser.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        if event is h11.NEED_DATA:
            break
        complete = isinstance(event, h11.EndOfMessage)
    return status, complete, len(parser.trailing_data[0])


@settings(max_examples=300)
@given(st.data())
def test_responses_are_framed_as_h11_frames_them(data: st.DataObject) -> None:
    method, response, closes = data.draw(responses())
    surplus = b"" if closes else data.draw(st.sampled_from([b"", b"surplus"]))
    framing = ResponseFraming(method)
    passed = b"".join(framing.feed(piece) for piece in data.draw(in_pieces(response)))
    assert passed == response
    assert framing.complete != closes
    assert framing.until_close == closes
    if surplus:
        assert framing.feed(surplus) == b""
    assert (framing.status, True, framing.surplus) == as_h11_sees_it(
        method, response + surplus, closes=closes
    )
    assert framing.unsound == ""
    assert response[: framing.head_size].endswith(b"\r\n\r\n")


@settings(max_examples=300)
@given(st.data())
def test_no_part_of_a_response_is_taken_for_the_whole(data: st.DataObject) -> None:
    method, response, closes = data.draw(responses())
    part = response[: data.draw(st.integers(0, len(response) - 1))]
    framing = ResponseFraming(method)
    for piece in data.draw(in_pieces(part)):
        framing.feed(piece)
    assert not framing.complete or closes


@settings(max_examples=300)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]),
)
def test_arbitrary_bytes_raise_nothing_but_the_evidence_family(data: bytes, start: bytes) -> None:
    for attempt in (
        lambda: ResponseFraming(b"GET").feed(start + data),
        lambda: request_body(parse_request(data)),
    ):
        try:
            attempt()
        except EvidenceError:
            continue


def test_a_head_in_single_bytes_is_found() -> None:
    reader, raw = HeadReader(), b"GET / HTTP/1.1\r\nA: b\r\n\r\n"
    taken = []
    for byte in raw + b"rest":
        reader.feed(bytes([byte]))
        if (head := reader.take()) is not None:
            taken.append(head)
    assert (taken, reader.rest()) == ([raw], b"rest")


# --- through the recorder ---


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, Path, Sender]]:
    directory = tmp_path_factory.mktemp("pieces") / "w"
    sender = Sender()
    with Recorder(directory, allowing(sender.port), now=now) as recorder:
        yield recorder, directory, sender
    sender.close()


class Sender:
    """A server that sends the pieces it was given last, one write for each."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._acceptor = Acceptor(self._send)
        self.port = self._acceptor.port
        self._acceptor.start()

    def _send(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(65536)
            for piece in self.pieces:
                connection.sendall(piece)

    def close(self) -> None:
        self._acceptor.close()


@settings(max_examples=60)
@given(data=st.data())
def test_responses_in_any_pieces_are_recorded_and_passed_on_verbatim(
    wire: tuple[Recorder, Path, Sender], data: st.DataObject
) -> None:
    recorder, directory, sender = wire
    method, response, _ = data.draw(responses())
    sender.pieces = data.draw(in_pieces(response))
    assert get(recorder, sender.port, "/", method=method.decode()) == response
    exchange = recorder.exchanges[-1]
    assert received(directory, exchange) == response
    assert (exchange.problem, exchange.surplus) == ("", 0)
    assert exchange.status == as_h11_sees_it(method, response, closes=True)[0]
