"""After a demonstration its parts stay up, for whoever wants to try the commands on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from evidence_service.errors import UnavailableError
from evidence_service.processes import ManagedProcess
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.sandbox.marketplace.catalogue import LISTINGS

_LOOK = 1.0


def write_list(demo: DemoInstallation, path: Path) -> None:
    """A list to capture: three listings that are there, and one that was removed.

    Results of a list of an earlier demonstration go: its marketplace had other addresses.
    """
    there = [item.id for item in LISTINGS if item.state == "on_sale"][:3]
    gone = [item.id for item in LISTINGS if item.state == "removed"][:1]
    rows = [f"{demo.marketplace.listing_url(number)},listing {number}" for number in (*there, *gone)]
    path.with_name(f"{path.name}.results.csv").unlink(missing_ok=True)
    path.write_text("\n".join(["url,label", *rows]) + "\n", encoding="utf-8")


def invitation(demo: DemoInstallation, output: Path, program: Path) -> Iterator[str]:
    """What to type, one command a line: where service and settings are, and three things to try.

    Args:
        output: where the demonstration left its certificates, and the list is.
        program: the ``evidence`` command.
    """
    listing = next(item.id for item in reversed(LISTINGS) if item.state == "on_sale")
    matter = '--reference "Try 1" --applicant "Brand Ltd"'
    evidence, trust = quote(str(program)), quote(str(output / "trust.json"))
    yield f"export EVIDENCE_API_URL=http://127.0.0.1:{demo.api_port}"
    # The key stays in its file: terminals are recorded and photographed.
    yield f'export EVIDENCE_API_KEY="$(cat {quote(str(demo.directory / "api.key"))})"'
    # For commands of whoever runs the service.
    yield f"export EVIDENCE_CONFIG={quote(str(demo.settings_file))}"
    yield f"{evidence} capture {demo.marketplace.listing_url(listing)} {matter}"
    yield f"{evidence} capture --list {quote(str(output / 'listings.csv'))} {matter}"
    nodes = " ".join(f"--rpc {url}" for url in demo.rpc_urls)
    yield f"{evidence} verify --trust {trust} {nodes} {quote(str(output / 'certificates'))}"


def stay(service: ManagedProcess) -> None:
    """Wait for Ctrl-C.

    Raises:
        UnavailableError: the service ended by itself.
    """
    try:
        while service.is_running():
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        return
    raise UnavailableError("the service ended", what_to_do=f"its log is {service.log}")
