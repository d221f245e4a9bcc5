"""S3 services for tests: moto in this process, and a Ceph of one monitor, one disk in memory and one gateway."""

from __future__ import annotations

import logging
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evidence_service.processes import ManagedProcess, accepts_connections, free_port
from evidence_service.store.bucket import connect

KEY, SECRET = "tests-access-key", "tests-secret-key-that-no-text-shows"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def moto(*, smallest_part: int = 5 << 20) -> Iterator[str]:
    """Address of a moto. It lets a retention be shortened: nothing about WORM is proven with it.

    Args:
        smallest_part: of objects sent in parts; S3's own limit makes tests slow.
    """
    import moto.s3.models
    from moto.server import ThreadedMotoServer

    moto.s3.models.S3_UPLOAD_PART_MIN_SIZE = smallest_part
    logging.getLogger("werkzeug").setLevel("ERROR")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def ceph(directory: Path) -> Iterator[str]:
    """Address of a Ceph gateway; needs Debian's radosgw, ceph-mon and ceph-osd."""
    monitor, gateway, disk = free_port(), free_port(), str(uuid.uuid4())
    for name in ("mon", "osd", "rgw", "run"):
        (directory / name).mkdir(parents=True)
    cluster = str(uuid.uuid4())
    configuration = directory / "ceph.conf"
    configuration.write_text(
        _CEPH.format(cluster=cluster, monitor=monitor, directory=directory, port=gateway)
    )
    named = ["--conf", str(configuration)]
    first = str(directory / "monmap")
    _run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", f"[v2:127.0.0.1:{monitor}]", first)
    _run("ceph-mon", *named, "--mkfs", "--id", "a", "--monmap", first)
    started = []

    def start(*command: str) -> None:
        started.append(ManagedProcess(command[0], [*command, "-f"], log=directory / f"{command[0]}.out"))

    try:
        start("ceph-mon", *named, "--id", "a")
        _run("ceph", *named, "osd", "new", disk, "0")
        _run("ceph-osd", *named, "--id", "0", "--mkfs", "--osd-uuid", disk)
        start("ceph-osd", *named, "--id", "0")
        start("radosgw", *named, "--name", "client.rgw")
        user = ["--uid", "tests", "--display-name", "tests", "--access-key", KEY, "--secret-key", SECRET]
        _run("radosgw-admin", *named, "--name", "client.rgw", "user", "create", *user)
        started[-1].wait_until(lambda: accepts_connections(gateway))
        yield f"http://127.0.0.1:{gateway}"
    finally:
        for process in reversed(started):
            process.stop()


def client(endpoint: str, *, tries: int = 1, environment: Mapping[str, str] = CREDENTIALS) -> Any:
    """A client as the service makes it, with credentials from its environment."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        return connect(endpoint=endpoint, tries=tries)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:]}")


_CEPH = """
[global]
fsid = {cluster}
mon host = v2:127.0.0.1:{monitor}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
mon data = {directory}/mon
osd data = {directory}/osd
run dir = {directory}/run
log file = {directory}/$name.log
pid file = {directory}/$name.$pid.pid
admin socket = {directory}/run/$name.$pid.asok
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[client.rgw]
rgw data = {directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 16
"""
