"""Those who follow events in this process: woken when something happened, counted, ended with the process."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from evidence_service.store.events import CHANNEL

MOST = 10
"""Streams of one caller at once, in each process."""
_AGAIN_SECONDS = 1.0
"""Longest wait for a notification before it is looked whether anybody is still there; and after a failure."""

_log = structlog.get_logger(__name__)


class Follower:
    """One stream, seen from its event loop.

    Attributes:
        woken: set when there may be something new.
    """

    def __init__(self, organisation_id: str, actor: str) -> None:
        self.organisation_id = organisation_id
        self.actor = actor
        self.woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Have it look; from any thread."""
        with suppress(RuntimeError):  # its loop is closed: it is gone
            self._loop.call_soon_threadsafe(self.woken.set)


class Streams:
    """Every stream of this process, and the one connection that listens for all of them.

    A notification that is lost costs time, no event: followers look by themselves every few seconds as well.

    Args:
        engine: bound to no organisation; None where nothing is followed.
    """

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._followers: set[Follower] = set()
        self._listening = False
        self.ended = False

    def enter(self, organisation_id: str, actor: str) -> Follower | None:
        """A new stream of a caller; None where he has as many as he may. From an event loop."""
        with self._lock:
            of_caller = [
                f for f in self._followers if (f.organisation_id, f.actor) == (organisation_id, actor)
            ]
            if len(of_caller) >= MOST:
                return None
            follower = Follower(organisation_id, actor)
            self._followers.add(follower)
            if not self._listening and self._engine is not None:
                self._listening = True
                threading.Thread(
                    target=self._listen, args=(self._engine,), name="listen", daemon=True
                ).start()
            return follower

    def leave(self, follower: Follower) -> None:
        """The stream has ended."""
        with self._lock:
            self._followers.discard(follower)

    def end(self) -> None:
        """Have every stream end now: the process is about to."""
        self.ended = True
        self._wake(None)

    def _wake(self, organisation_id: str | None) -> None:
        with self._lock:
            followers = [f for f in self._followers if organisation_id in (None, f.organisation_id)]
        for follower in followers:
            follower.wake()

    def _listen(self, engine: Engine) -> None:
        while self._needed():
            try:
                self._hear(engine)
            except SQLAlchemyError as error:
                # Followers look by themselves meanwhile.
                _log.warning("listen.failed", reason=str(error)[:300])
                time.sleep(_AGAIN_SECONDS)
            except Exception:  # noqa: BLE001 - logged with its traceback; without this thread streams are slow
                _log.exception("listen.broken")
                time.sleep(_AGAIN_SECONDS)

    def _needed(self) -> bool:
        """Whether this thread goes on; if not, the next follower starts another, and not before."""
        with self._lock:
            self._listening = self._followed()
            return self._listening

    def _followed(self) -> bool:
        return bool(self._followers) and not self.ended

    def _hear(self, engine: Engine) -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            driver = connection.connection.driver_connection
            # It is never given back to the pool: whoever got it would be told as well.
            connection.detach()
            # What happened before somebody listened.
            self._wake(None)
            while self._followed() and driver is not None:
                for heard in driver.notifies(timeout=_AGAIN_SECONDS, stop_after=1):
                    self._wake(heard.payload)
