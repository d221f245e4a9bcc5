"""No secret reaches the log by a traceback."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import structlog
from evidence_service.cli import logs
logs.configure()
log = structlog.get_logger("test")
def fails(password):
    raise RuntimeError("it broke")
try:
    fails("correct horse battery staple")
except RuntimeError:
    log.exception("something.broken", chain=1)
"""


def test_a_traceback_shows_no_variables() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "something.broken" in done.stderr
    assert '"chain": 1' in done.stderr
    assert "RuntimeError: it broke" in done.stderr
    # The call itself stands in the source line of the traceback of -c only when there is a file: there is none.
    assert "correct horse" not in done.stderr
    assert done.stdout == ""
