"""Calls that outlast a restart of the service."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import click

from evidence_service.cli.terminal import plain
from evidence_service.errors import ServiceUnavailableError

T = TypeVar("T")

_DELAYS = (1, 2, 4, 8, 15, 30)
"""Seconds between tries while the service is away."""


def patiently(call: Callable[[], T]) -> T:
    """A call that outlasts a restart of the service."""
    for delay in _DELAYS:
        try:
            return call()
        except ServiceUnavailableError as error:
            click.echo(f"waiting {delay} s: {plain(error.message)}", err=True)
            time.sleep(delay)
    return call()
