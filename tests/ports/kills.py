"""Writers killed with kill -9 at random moments, and what is left of what they had been promised."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from evidence_service.errors import EvidenceServiceError
from evidence_service.service.ports import Objects

_WRITERS = 2
"""At once, writing the same contents in the same order."""
_SHA256 = 32


@dataclass
class Counted:
    """What a campaign of kills found.

    Attributes:
        puts: acknowledged before their writer was killed.
        lost: acknowledged, and not there any more as they were.
    """

    kills: int = 0
    puts: int = 0
    lost: int = 0


def kill_writers(objects: Objects, *, kills: int, within: float, largest: int, seed: int) -> Counted:
    """Kill writers; then look for everything they had been promised.

    Args:
        objects: holds no open connection: it is used by forked processes.
        within: seconds after which the last writer of a round is killed.
        largest: bytes of an object.
    """
    chance, counted, promised = random.Random(seed), Counted(), set()
    while counted.kills < kills:
        contents = chance.randrange(1 << 32)
        writers = [_Writer(objects, contents, largest) for _ in range(_WRITERS)]
        for moment in sorted(chance.uniform(0, within) for _ in writers):
            time.sleep(max(0.0, moment - (time.monotonic() - writers[0].started)))
            writers[counted.kills % _WRITERS].kill()
            counted.kills += 1
        for writer in writers:
            acknowledged = writer.acknowledged()
            counted.puts += len(acknowledged)
            promised |= set(acknowledged)
    for sha256 in promised:
        try:
            objects.check(sha256)
        except EvidenceServiceError as error:
            print(f"lost: {error.told}")
            counted.lost += 1
    return counted


def _write(objects: Objects, chance: random.Random, largest: int) -> bytes:
    """Put one object, as a file or from memory; its SHA-256."""
    data = chance.randbytes(int(largest ** chance.random()))
    if chance.random() < 0.5:
        return objects.put_bytes(data).sha256
    with tempfile.NamedTemporaryFile() as source:
        source.write(data)
        source.flush()
        return objects.put(Path(source.name)).sha256


class _Writer:
    """A child that writes until it is killed, and says so after each object."""

    def __init__(self, objects: Objects, contents: int, largest: int) -> None:
        self._reader, writer = os.pipe()
        self.started = time.monotonic()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._reader)
                chance = random.Random(contents)
                while True:
                    # 32 bytes arrive whole or not at all (POSIX, PIPE_BUF).
                    os.write(writer, _write(objects, chance, largest))
            finally:
                os._exit(1)
        os.close(writer)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def acknowledged(self) -> list[bytes]:
        with os.fdopen(self._reader, "rb") as reader:
            told = reader.read()
        return [told[start : start + _SHA256] for start in range(0, len(told), _SHA256)]
