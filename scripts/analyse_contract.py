"""``make slither``: static analysis of the contract; every finding is explained or fails.

``RESULT findings=… accepted=… unexplained=… stale=…``. Accepted findings stand in
contracts/analysis/accepted.json, each with its reason. slither needs an older web3 than the service: it lives
in an environment of its own, installed on the first run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ANALYSIS = ROOT / "contracts" / "analysis"
ENVIRONMENT = ROOT / ".setup" / "slither"

Finding = tuple[str, str]
"""Check, and the first place it names: ``Contract.function``, or a file for what concerns a whole file."""


def slither_command() -> Path:
    """slither, installed when it is not there or when its requirements have changed."""
    requirements = ANALYSIS / "requirements.txt"
    installed = ENVIRONMENT / "installed.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        pip = [ENVIRONMENT / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", requirements], check=True)
        installed.write_text(requirements.read_text())
    return ENVIRONMENT / "bin" / "slither"


def findings() -> set[Finding]:
    """What slither says about the contract as Hardhat compiles it.

    Raises:
        RuntimeError: it did not come so far; its words.
    """
    slither = slither_command()
    hardhat = ROOT / "node_modules" / ".bin" / "hardhat"
    # slither's own way to Hardhat would empty the cache that Hardhat shares between projects.
    subprocess.run([hardhat, "compile", "--force"], cwd=ROOT, check=True, capture_output=True)
    options = ["--compile-force-framework", "hardhat", "--ignore-compile", "--fail-none", "--json", "-"]
    done = subprocess.run([slither, ".", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(done.stdout + done.stderr) from error
    if not answer["success"]:
        raise RuntimeError(answer["error"])
    return {(item["check"], _place(item)) for item in answer["results"].get("detectors", [])}


def _place(item: dict[str, Any]) -> str:
    """Names outlast line numbers, which change with every comment."""
    for element in item["elements"]:
        if element["type"] == "function":
            return f"{element['type_specific_fields']['parent']['name']}.{element['name']}"
    names = {Path(element["source_mapping"]["filename_relative"]).name for element in item["elements"]}
    return sorted(names)[-1]


def accepted() -> set[Finding]:
    """The findings that are explained."""
    return {(item["check"], item["place"]) for item in json.loads((ANALYSIS / "accepted.json").read_text())}


def main() -> int:
    """Compare what is found with what is explained."""
    found, explained = findings(), accepted()
    for check, place in sorted(found - explained):
        print(f"unexplained: {check} in {place}: correct it, or say why it is right", file=sys.stderr)
    for check, place in sorted(explained - found):
        print(f"stale: {check} in {place} is explained but no longer found", file=sys.stderr)
    print(
        f"RESULT findings={len(found)} accepted={len(found & explained)} "
        f"unexplained={len(found - explained)} stale={len(explained - found)}"
    )
    return 0 if found == explained else 1


if __name__ == "__main__":
    sys.exit(main())
