"""``make live-capture``: django-oscar behind nginx, captured, certified where the rules allow it, and verified.

Neither the storefront nor the web server is ours. What was recorded is held against what they say themselves:
the web server's log (bytes of every response and request, TLS version and cipher), its files, its certificates
and the storefront's database. The cases that are no evidence of a listing have to be named as what they are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from evidence_service.capture.environment.others import SECOND_AGENT
from evidence_service.cli.exit_codes import NOT_CAPTURED
from evidence_service.verify.report import ExitCode
from tests.live.examination import Case, Tally, examine
from tests.live.world import World, running

_SOLD = ("100201", "100203", "200102")
_REFUSALS = (
    ("expired", "it has expired"),
    ("other-name", "it is for another host"),
    ("no-intermediate", "no trusted issuer is known"),
    ("unknown-root", "no trusted issuer is known"),
)


def cases(world: World) -> list[Case]:
    """Listings by an address that redirects twice, and what is no listing."""
    nginx = world.nginx
    shop = f"https://localhost:{nginx.https}"
    return [
        *(
            Case(item["id"], f"http://127.0.0.1:{nginx.http}{item['path']}", "captured", listing=item)
            for item in world.storefront.listings
            if item["id"] in _SOLD
        ),
        Case("removed", f"{shop}/catalogue/sold-and-gone_999/", "removed", "HTTP status 404"),
        Case("members", f"{shop}/members/", "auth_wall", "HTTP status 401", certified=False),
        *(
            Case(
                name,
                f"https://localhost:{nginx.ports[name]}/",
                "blocked",
                reason,
                certified=False,
                reached=False,
            )
            for name, reason in _REFUSALS
        ),
    ]


def carry_out(world: World, wanted: list[Case], output: Path, tally: Tally) -> None:
    """Order all of them, wait until each is certified or refused, look at each."""
    ordered = world.evidence(
        *("capture", "--json", "--reference", "LIVE-1", "--applicant", "Aurelle SA (invented)"),
        *(case.url for case in wanted),
    )
    try:
        views = json.loads(ordered.stdout)
    except ValueError:
        tally.wrong.append(f"evidence capture ended with {ordered.returncode}: {ordered.stderr[-600:]}")
        return
    # All of these have an outcome that is not “captured”; one without a certificate outweighs that.
    expected = NOT_CAPTURED if all(case.certified for case in wanted) else ExitCode.USAGE
    if ordered.returncode != expected:
        tally.wrong.append(f"evidence capture ended with {ordered.returncode}, and not {expected}")
    for case, view in zip(wanted, views, strict=True):
        tally.wrong += [f"{case.name}: {words}" for words in examine(world, case, view, output, tally)]


def main() -> int:
    """Run it and print what was counted."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--output", type=Path, default=Path("demo-output/live"))
    output = options.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    started, tally = time.monotonic(), Tally()
    with tempfile.TemporaryDirectory(prefix="evidence-live-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        with running(Path(name)) as world:
            carry_out(world, cases(world), output, tally)
            world.nginx.maintenance(on=True)
            url = f"https://localhost:{world.nginx.https}{world.storefront.listings[0]['path']}"
            carry_out(world, [Case("maintenance", url, "http_error", "HTTP status 503")], output, tally)
            others = [line for key, line in world.nginx.log().items() if key not in tally.ids]
    # Beside each capture its address is fetched once by another client, which is no part of the record.
    second = [line for line in others if line.agent == SECOND_AGENT]
    unrecorded = [line for line in others if line.agent != SECOND_AGENT]
    if len(second) != tally.reached:
        tally.wrong.append(
            f"{len(second)} second fetches of {tally.reached} captures that reached the server"
        )
    tally.wrong += [f"{line.request} ({line.status}) was answered and not recorded" for line in unrecorded]
    for words in tally.wrong:
        print(f"WRONG {words}", file=sys.stderr)
    print(
        f"RESULT live_captured={tally.captured} outcomes_right={tally.outcomes} verified={tally.verified} "
        f"exchanges={len(tally.ids)} unrecorded={len(unrecorded)} second_fetches={len(second)} bytes={tally.sum('bytes')} "
        f"chunked={tally.sum('chunked')} gzip={tally.sum('coded')} files_same={tally.sum('files')} "
        f"pictures_whole={tally.sum('pictures')} facts={tally.facts} bytes_differing={tally.sum('differing')} "
        f"wrong={len(tally.wrong)} seconds={time.monotonic() - started:.0f}"
    )
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
