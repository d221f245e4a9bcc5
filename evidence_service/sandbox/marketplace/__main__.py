"""``python -m evidence_service.sandbox.marketplace [PORT]``: serve until interrupted."""

from __future__ import annotations

import sys
import threading

from evidence_service.sandbox.marketplace.server import Marketplace

if __name__ == "__main__":
    with Marketplace(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as marketplace:
        print(marketplace.url, flush=True)
        threading.Event().wait()
