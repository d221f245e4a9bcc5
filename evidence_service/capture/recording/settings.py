"""What the recorder is told when it starts, and where recording stops; one JSON document on its stdin."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Self

from evidence_service.egress.policy import EgressPolicy


@dataclass(frozen=True, slots=True)
class RecorderLimits:
    """Where recording stops; each is named in the record when it fires.

    Attributes:
        body: bytes of one direction of one exchange; total: of everything; exchanges: their number.
        idle: seconds without a byte from a server, or without the browser taking one.
        seconds: for everything, from the recorder's start.
        head: bytes of a message head.
        connections: of the browser at one time.
    """

    body: int = 50 * 1024 * 1024
    total: int = 200 * 1024 * 1024
    exchanges: int = 300
    idle: float = 20.0
    seconds: float = 150.0
    head: int = 256 * 1024
    connections: int = 256


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that a parent process hands to its child: a moment, and the machine's steady clock at it."""

    moment: datetime
    steady: float

    def now(self) -> datetime:
        """The moment, and the time since then."""
        return self.moment + timedelta(seconds=time.monotonic() - self.steady)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one recorder.

    Attributes:
        directory: the wire directory; exists.
        policy: one that has a JSON form.
        mode: ``recording_proxy``; or ``tunnel``: TLS is passed through unseen.
        websockets: whether they are recorded; otherwise refused.
        roots: further root certificates, PEM; empty for the system's alone.
    """

    directory: str
    policy: EgressPolicy
    clock: Clock
    mode: str = "recording_proxy"
    websockets: bool = True
    roots: str = ""
    limits: RecorderLimits = field(default_factory=RecorderLimits)

    def to_json(self) -> bytes:
        """One line."""
        value = {
            "directory": self.directory,
            "policy": self.policy.to_json(),
            "clock": [self.clock.moment.isoformat(), self.clock.steady],
            "mode": self.mode,
            "websockets": self.websockets,
            "roots": self.roots,
            "limits": asdict(self.limits),
        }
        return json.dumps(value).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """The inverse of :meth:`to_json`."""
        value = json.loads(line)
        moment, steady = value.pop("clock")
        return cls(
            policy=EgressPolicy.from_json(value.pop("policy")),
            clock=Clock(datetime.fromisoformat(moment), steady),
            limits=RecorderLimits(**value.pop("limits")),
            **value,
        )
