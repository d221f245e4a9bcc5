"""What is in deploy/ is well-formed, judged by the programs it is for where they are here, and names real things."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import CliRunner

from evidence_service.cli import main
from evidence_service.processes import ManagedProcess, accepts_connections, free_port
from evidence_service.sandbox.seal_pki import ensure_demo_seal
from tests.running import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMANDS = re.compile(r"/opt/evidence/bin/evidence ([a-z]+)((?: --[a-z-]+)*)")
# Members of a service by the Compose Specification that this file uses.
KEYS = {
    *("image", "build", "user", "read_only", "cap_drop", "cap_add", "security_opt", "restart", "init"),
    *("environment", "secrets", "volumes", "tmpfs", "depends_on", "networks", "command", "stop_grace_period"),
    *("healthcheck", "shm_size", "ports"),
}


def test_units_are_accepted_by_systemd(tmp_path: Path) -> None:
    assert len(UNITS) == 3
    for unit in UNITS:
        # The program is installed elsewhere; an instance stands for the template.
        words = unit.read_text().replace("/opt/evidence/bin/evidence", shutil.which("true") or "")
        (tmp_path / unit.name).write_text(words)
    names = [str(tmp_path / unit.name.replace("@.", "@1.")) for unit in UNITS]
    for unit in UNITS:
        if "@" in unit.name:
            (tmp_path / unit.name.replace("@.", "@1.")).symlink_to(tmp_path / unit.name)
    done = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_hardened_and_run_commands_that_there_are(unit: Path) -> None:
    words = unit.read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "User=evidence"):
        assert f"\n{line}\n" in words
    [(command, options)] = COMMANDS.findall(words)
    told = CliRunner().invoke(main, [command, "--help"])
    assert told.exit_code == 0
    assert all(option in told.output for option in options.split())


def test_containers_are_confined_and_run_commands_that_there_are() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert {"database", "migrate", "api-1", "api-2", "worker-1", "worker-2", "proxy"} == set(services)
    for name, service in services.items():
        assert set(service) <= KEYS, name
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert ":" in service["image"] and not service["image"].endswith(":latest"), name
        assert "healthcheck" in service or name == "migrate", name
        assert set(service.get("secrets", ())) <= set(compose["secrets"]), name
        assert set(service["networks"]) <= set(compose["networks"]), name
        assert set(service.get("depends_on", ())) <= set(services), name
        if name.startswith(("api", "worker", "migrate")):
            command, *options = service["command"]
            told = CliRunner().invoke(main, [command, "--help"])
            assert told.exit_code == 0, command
            assert all(item in told.output for item in options if item.startswith("--")), name
    assert services["database"]["networks"] == ["inside"] and compose["networks"]["inside"]["internal"]
    [proxy] = json.loads(services["api-1"]["environment"]["EVIDENCE_TRUSTED_PROXIES"])
    assert services["proxy"]["networks"]["inside"]["ipv4_address"] == proxy
    assert set(services["proxy"]["networks"]) & set(services["api-1"]["networks"]) == {"inside"}
    [addresses] = compose["networks"]["inside"]["ipam"]["config"]
    assert ip_address(proxy) in ip_network(addresses["subnet"])
    assert ip_address(proxy) not in ip_network(addresses["ip_range"]), "nobody else is given it"
    workers = {services[name]["environment"]["EVIDENCE_WORKER_NAME"] for name in ("worker-1", "worker-2")}
    assert len(workers) == 2, "each resumes its own work"


def test_no_secret_is_in_the_environment_of_a_container() -> None:
    for name, service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD$|SECRET|TOKEN|://[^/@]*:[^/@]*@", f"{variable} {value}"), name


NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


@pytest.fixture
def nginx(tmp_path: Path) -> Path:
    """The configuration, with names of containers and all that is written in the test's folder."""
    seal = ensure_demo_seal(tmp_path / "seal")
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    password = seal.password_file.read_text()
    for path, what in ((certificate, "-nokeys"), (key, "-nocerts")):
        subprocess.run(
            [
                "openssl",
                "pkcs12",
                "-in",
                seal.pkcs12,
                what,
                "-nodes",
                "-passin",
                f"pass:{password}",
                "-out",
                path,
            ],
            check=True,
            capture_output=True,
        )
    words = (DEPLOY / "nginx.conf").read_text()
    for before, after in (
        ("/run/secrets/tls_certificate", str(certificate)),
        ("/run/secrets/tls_key", str(key)),
        ("/run/nginx.pid", str(tmp_path / "pid")),
        ("/dev/stdout", str(tmp_path / "access.log")),
        ("api-1:", "127.0.0.1:"),
        ("api-2:", "127.0.0.2:"),
    ):
        assert before in words
        words = words.replace(before, after)
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(words)
    return configuration


def test_nginx_accepts_its_configuration(nginx: Path) -> None:
    done = subprocess.run([NGINX, "-t", "-q", "-c", nginx], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nginx_logs_no_key_of_a_release_link(nginx: Path, tmp_path: Path) -> None:
    port, errors = free_port(), tmp_path / "error.log"
    words = nginx.read_text()
    for before, after in (
        ("listen 80 ", f"listen 127.0.0.1:{free_port()} "),
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        (".1:8080", f".1:{free_port()}"),
        (".2:8080", f".2:{free_port()}"),
        ("error_log stderr warn;", f"error_log {errors} info;"),
    ):
        assert before in words
        words = words.replace(before, after)
    nginx.write_text(words)
    process = ManagedProcess(
        "nginx", [NGINX, "-g", "daemon off;", "-c", str(nginx)], log=tmp_path / "nginx.log"
    )
    try:
        process.wait_until(lambda: accepts_connections(port), seconds=20)
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, trust_env=False) as http:
            for path in ("/v1/evidence", "/v1/release/the-key", "/v1//release/./the-key"):
                assert http.get(path).status_code == 502, "no API is there"
    finally:
        process.stop(grace=5)
    told, answered = errors.read_text(), (tmp_path / "access.log").read_text()
    assert "/v1/evidence" in told and "/v1/evidence" in answered
    assert "the-key" not in told and "the-key" not in answered
    assert answered.count('"/v1/release/-"') == 2


def test_the_example_settings_have_no_problem_but_files_that_are_elsewhere() -> None:
    done = CliRunner().invoke(
        main, ["config", "check", "--json"], env={"EVIDENCE_CONFIG": str(DEPLOY / "settings.example.json")}
    )
    found = json.loads(done.output)["findings"]
    assert [item for item in found if "cannot be read" not in item["message"]] == []
    assert len(found) == 5


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    images = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert all(re.fullmatch(r"[\w/.-]+:[\w.-]*\d+\.\d+\.\d+[\w.-]*", image) for image in images)
    assert "USER 10001:10001" in lines
    assert any("--constraint constraints.txt" in line for line in lines)
