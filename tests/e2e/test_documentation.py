"""Every block of every document is executed, parsed, or on a list with the reason; every link leads somewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evidence_service.capture.options import parse_options
from evidence_service.config import ChainSettings, Settings
from evidence_service.config.checking import findings
from evidence_service.errors import EvidenceServiceError
from evidence_service.exhibit.plan import parse_plan
from tests.documentation import Block, blocks, broken_links, documents, indented, linked, script
from tests.e2e.conftest import Result
from tests.e2e.desks import Desks, Done
from tests.running import reachable

# A document waits for the captures of others; on a busy machine that takes minutes.
pytestmark = pytest.mark.timeout(900)

ELSEWHERE: Mapping[str, str] = {
    "docs/how-to/verify-without-us.md": "tests/e2e/test_verify_without_us.py",
    "README.md: ./scripts/demo     # the main job, end to end: three listings captured, anchored, certified, verified": (
        "tests/e2e/test_demo.py"
    ),
    "docs/tutorials/first-evidence.md: ./scripts/demo --keep-running": "tests/e2e/test_demo.py",
    "docs/how-to/certificates.md: evidence verify digest-bundle.json exhibit-7.pdf": (
        "tests/e2e/test_certificates.py"
    ),
    # An address of somebody else would be sent to, and the stream lasts a quarter of an hour.
    'docs/how-to/receive-webhooks.md: curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" '
    "https://evidence.example/v1/webhooks \\": "tests/unit/api/test_webhooks.py",
    "docs/how-to/receive-webhooks.md: ./scripts/demo --keep-running --listener 127.0.0.1:9000": (
        "tests/e2e/test_demo.py"
    ),
    'docs/how-to/receive-webhooks.md: curl -H "Authorization: Bearer $EVIDENCE_API_KEY" '
    '-H "Content-Type: application/json" $EVIDENCE_API_URL/v1/webhooks \\': "tests/unit/service/test_deliver.py",
    'docs/how-to/receive-webhooks.md: curl -N -H "Authorization: Bearer $KEY" '
    '"https://evidence.example/v1/events?after=0&matter_id=m-…"': "tests/unit/api/test_event_stream.py",
    'docs/how-to/register-digests.md: curl -H "Authorization: Bearer $EVIDENCE_API_KEY" '
    '"$EVIDENCE_API_URL/v1/evidence/ev-…/bundle" > bundle.json': "tests/e2e/test_registered_digests.py",
}
"""A document, or one block of it by its first line → the test that executes the same commands."""

NOT_EXECUTED: Mapping[str, str] = {
    "docs/how-to/capture-behind-a-login.md: pip install playwright && playwright install chromium": (
        "downloads a browser, and a person signs in in its window"
    ),
    "docs/how-to/deploy.md: python3 -m venv /opt/evidence": (
        "installs packages and users of the machine; tests/deploy judges the units"
    ),
    "docs/how-to/deploy.md: cd deploy": "builds images; tests/deploy judges the compose file",
    "docs/how-to/keep-objects-in-s3.md: aws s3api create-bucket --bucket evidence-prod "
    "--object-lock-enabled-for-bucket \\": "needs an account at AWS",
    "docs/how-to/seal-keys.md: softhsm2-util --init-token --free --label seals --so-pin 1234 --pin 4711": (
        "makes a token in the machine's own store; tests/unit/certificate/sealing makes one of its own"
    ),
}
"""A block by its first line → why it cannot be executed here."""

ONLY_PARSED: Mapping[str, str] = {
    'docs/how-to/keep-objects-in-s3.md: {"Version": "2012-10-17", "Statement": [': "a policy of AWS, which judges it",
}
"""A block of JSON that nothing of ours reads, by its first line → whose it is."""

LANGUAGES = {"sh", "python", "json", "text"}
PLACEHOLDERS: Mapping[str, str] = {"0x…": "0x" + "22" * 20, "age1…": "age1" + "q" * 58, "…": "00" * 32}
"""What stands in JSON for a value of the reader's, and one of that kind."""
CHAIN = {"name": "public", "chain_id": 1, "rpc_urls": ["https://a.example"]}
"""What a chain needs beside the members that a document shows of it."""

PAGES = {page: list(blocks(page)) for page in documents()}
BLOCKS = [block for page in PAGES.values() for block in page]


def listed(block: Block) -> bool:
    """Whether a block is executed elsewhere or nowhere."""
    return bool({block.document, block.name} & {*ELSEWHERE, *NOT_EXECUTED})


EXECUTED = {
    page: chosen
    for page, found in PAGES.items()
    if (chosen := [block for block in found if block.language in ("sh", "python") and not listed(block)])
}
PARSED = [block for block in BLOCKS if block.language == "json"]


# --- nothing is left out ---


def test_every_block_is_accounted_for(record_property: Callable[[str, object], None]) -> None:
    unnamed = [f"{block.document}:{block.line - 1}" for block in BLOCKS if block.language not in LANGUAGES]
    assert not unnamed, f"say what these blocks are, one of {sorted(LANGUAGES)}, behind the fence: {unnamed}"
    unfenced = [f"{page}:{number}" for page in PAGES for number in indented(page)]
    assert not unfenced, f"put these blocks into fences, with their language behind: {unfenced}"
    names = {name for block in BLOCKS for name in (block.document, block.name)}
    stale = {*ELSEWHERE, *NOT_EXECUTED, *ONLY_PARSED} - names
    assert not stale, f"these lists of this file name blocks that no document has: take out {sorted(stale)}"
    assert not [test for test in ELSEWHERE.values() if not Path(__file__).parents[2].joinpath(test).is_file()]
    shown = [block for block in BLOCKS if block.language == "text"]
    elsewhere = [block for block in BLOCKS if {block.document, block.name} & set(ELSEWHERE)]
    executed = sum(map(len, EXECUTED.values())) + len(elsewhere)
    counts = {
        "snippets": len(BLOCKS),
        "executed": executed,
        "parsed": len(PARSED),
        "shown": len(shown),
        "not_executed": len(NOT_EXECUTED),
    }
    assert counts["snippets"] == sum(counts.values()) - counts["snippets"]
    record_property("RESULT", " ".join(f"{name}={count}" for name, count in counts.items()))


@pytest.mark.parametrize("page", documents())
def test_links_lead_somewhere(page: str) -> None:
    assert list(broken_links(page)) == []


def test_the_index_names_every_page() -> None:
    index = "docs/README.md"
    pages = {
        page for page in documents() if page.startswith("docs/") and page != index and "/adr/" not in page
    }
    assert pages - set(linked(index)) == set(), f"give each a line in {index}"


# --- JSON ---


def complete(text: str) -> Any:
    """A block as a document of its own: members of an object get their braces, placeholders a value."""
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    value = json.loads(f"{{{text}}}" if text.lstrip().startswith('"') else text)
    of_chain = isinstance(value, dict) and value and set(value) <= set(ChainSettings.model_fields)
    return {"chains": [CHAIN | value]} if of_chain else value


def check_settings(value: Mapping[str, Any], directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EVIDENCE_")]:
        monkeypatch.delenv(name)
    file = directory / "settings.json"
    file.write_text(json.dumps(value))
    monkeypatch.setenv("EVIDENCE_CONFIG", str(file))
    found, _ = findings()
    # Files that a document names are its reader's.
    problems = [
        item for item in found if item.severity == "problem" and " cannot be read: " not in item.message
    ]
    assert problems == []


@pytest.mark.parametrize("block", PARSED, ids=lambda block: block.name)
def test_json_is_what_the_service_takes(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"{block.document}:{block.line}"
    try:
        value = complete(block.text)
        if block.name in ONLY_PARSED:
            return
        if isinstance(value, dict) and value and set(value) <= set(Settings.model_fields):
            check_settings(value, tmp_path, monkeypatch)
        elif isinstance(value, list) and value and "action" in value[0]:
            parse_options({"steps": value})
        elif isinstance(value, dict) and {"texts", "patterns", "areas", "withheld"} & set(value):
            parse_plan(value)
        else:
            pytest.fail(
                f"{where}: neither settings nor steps nor a redaction plan. If nothing of ours reads it, add\n"
                f'    {block.name!r}: "whose it is",\nto ONLY_PARSED in {__file__}'
            )
    except (ValueError, EvidenceServiceError) as error:
        pytest.fail(f"{where}: {error}\ncorrect the block; what is left to the reader is “…”")


# --- commands ---


@pytest.fixture(scope="module")
def executions(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Done]]]:
    """All documents' commands, several documents at a time; those that capture most begin first."""
    desks = Desks(result, reachable(tmp_path_factory.mktemp("documents")))
    scripts = once({page: script(chosen, "sh") for page, chosen in EXECUTED.items()})
    desks.prepare(scripts)
    pages = sorted(scripts, key=lambda page: -scripts[page].count("https://shop.example"))
    with ThreadPoolExecutor(4) as pool:
        yield {
            page: pool.submit(
                desks.execute, page, scripts[page], script(EXECUTED[page], "python"), PAGES[page]
            )
            for page in pages
        }


def once(scripts: Mapping[str, str]) -> dict[str, str]:
    """The same order of a capture is carried out in the first document that has it: a capture takes seconds."""
    seen: set[str] = set()
    kept: dict[str, str] = {}
    for page, text in scripts.items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            command = line.removeprefix(".venv/bin/").partition("#")[0].strip()
            if command.startswith("evidence capture https://") and command in seen:
                lines[number] = ":"
            seen.add(command)
        kept[page] = "\n".join(lines) + "\n"
    return kept


@pytest.mark.parametrize("page", EXECUTED)
def test_commands_do_what_the_document_says(page: str, executions: dict[str, Future[Done]]) -> None:
    done = executions[page].result()
    if done.code != 0:
        pytest.fail(explanation(page, done), pytrace=False)


def explanation(page: str, done: Done) -> str:
    """Which line failed, and how it is mended."""
    block = next(
        (item for item in EXECUTED[page] if done.line <= item.line + len(item.lines)), EXECUTED[page][-1]
    )
    within = done.line - block.line
    line = block.lines[within] if 0 <= within < len(block.lines) else block.lines[0]
    return (
        f"{page}:{done.line}: {line.strip()}\n{done.errors[-3000:]}\n"
        "One of these mends it:\n"
        "- correct the document;\n"
        "- a line that has to end with another code says so: “# exits 3: why”;\n"
        "- a name, address or file that stands for the reader's own is given here in tests/e2e/desks.py: a name in\n"
        "  fill_in, a file in _write_given or _fetch;\n"
        "- what cannot be executed here, or is executed by another test, is named in NOT_EXECUTED or ELSEWHERE of\n"
        f'  {Path(__file__).name}:\n    {block.name!r}: "the reason, or the test",'
    )
