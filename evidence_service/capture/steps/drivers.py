"""What the browser's driver itself does to pages: it takes away their way to register service workers."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources

_NAME = "the driver's replacement of ServiceWorkerContainer.prototype.register"
_SCRIPT = re.compile(rb"serviceWorkers === .block.\)\s*await this\.addInitScript\([^`]{0,60}`([^`]{1,2000})`")
"""Where the driver has it, in its own source; the exact text is not part of any interface."""


@cache
def blocking_script() -> dict[str, str]:
    """Name → SHA-256 of the script the driver runs in every new document; ``unknown`` if not found."""
    source = (resources.files("playwright") / "driver/package/lib/coreBundle.js").read_bytes()
    found = _SCRIPT.search(source)
    return {_NAME: hashlib.sha256(found.group(1)).hexdigest() if found else "unknown"}
