"""``python -m evidence_service.cli`` is ``evidence``."""

from evidence_service.cli import main

main()
