"""Other people's programs as judges of a certificate; each says what it has against it.

poppler (``pdfsig``, ``pdffonts``, ``pdfdetach``, ``pdftotext``) and qpdf come from Debian; pyHanko judges the
seal's level by ETSI EN 319 102-1 and reads structure and metadata for the rest. ``evidence verify`` is run as
anybody runs it.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject
from pyhanko.pdf_utils.reader import PdfFileReader

from tests.ades import level_by_pyhanko
from tests.certificate.making import LEVEL, Made

Complaints = Iterator[str]

# ISO 19005-3, 6.6.4 and ISO 14289-1, 5: what a file says it conforms to.
_CLAIMS = {
    "{http://www.aiim.org/pdfa/ns/id/}part": "3",
    "{http://www.aiim.org/pdfa/ns/id/}conformance": "A",
    "{http://www.aiim.org/pdfua/ns/id/}part": "1",
}
# poppler up to 25.11 calls a member of MarkInfo that is false a boolean of the wrong type.
_POPPLERS_OWN = "Syntax Error: Suspects object is wrong type (boolean)"
_PAGES = {
    "en": re.compile(r"Page (\d+) of (\d+)"),
    "zh": re.compile(r"第\s*(\d+)\s*页[，,]?\s*共\s*(\d+)\s*页"),
}


def complaints(made: Made, folder: Path) -> list[str]:
    """What all judges have against a certificate; nothing, if it is as it should be."""
    path = folder / "certificate.pdf"
    path.write_bytes(made.pdf)
    (folder / "trust.json").write_bytes(made.trust)
    return [f"{judge.__name__}: {words}" for judge in JUDGES for words in judge(made, path)]


def run(*command: str | Path) -> tuple[int, str]:
    """A program's exit code and all that it wrote, without what is known to be poppler's own fault."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).replace(_POPPLERS_OWN, "")


def signature(made: Made, path: Path) -> Complaints:
    """``pdfsig``: the seal is valid, the archive time stamp is there and covers the rest of the file."""
    _, seen = run("pdfsig", path)
    seal, _, stamp = seen.partition("Signature #2")
    if "Signature is Valid" not in seal or "Signature #1" not in seal:
        yield seal
    # It reads no document time stamps (ETSI EN 319 142-1, 5.4.3), but what they cover.
    if "ArchiveTimeStamp1" not in stamp or "Total document signed" not in stamp.replace("Not total", ""):
        yield stamp or "no second signature"


def syntax(made: Made, path: Path) -> Complaints:
    """``qpdf --check`` and ``pdfinfo``: nothing to say."""
    code, seen = run("qpdf", "--check", path)
    if code or "No syntax or stream encoding errors" not in seen:
        yield seen
    code, seen = run("pdfinfo", path)
    if code or "Error" in seen or "Warning" in seen:
        yield seen


def fonts(made: Made, path: Path) -> Complaints:
    """``pdffonts``: every font is embedded and has a map to Unicode (ISO 19005-3, 6.2.11)."""
    _, seen = run("pdffonts", path)
    rows = seen.splitlines()[2:]
    if not rows:
        yield "no font is listed"
    for row in rows:
        embedded, _, unicode = row.split()[-5:-2]
        if (embedded, unicode) != ("yes", "yes"):
            yield row


def attachments(made: Made, path: Path) -> Complaints:
    """``pdfdetach``: everything that is needed to verify travels inside."""
    _, seen = run("pdfdetach", "-list", path)
    listed = set(re.findall(r"^\d+: (.+)$", seen, re.MULTILINE))
    if listed != made.attached:
        yield f"{sorted(listed ^ made.attached)} are too many or missing"
    if not {"bundle.json", "verify.txt"} < listed or not any(name.endswith(".tst") for name in listed):
        yield f"only {sorted(listed)}"


def level(made: Made, path: Path) -> Complaints:
    """pyHanko: the seal reaches what is printed, from the file alone."""
    reached = level_by_pyhanko(made.pdf, made.roots)
    if reached != LEVEL:
        yield reached


def metadata(made: Made, path: Path) -> Complaints:
    """XMP: PDF/A-3a and PDF/UA-1 are claimed; the catalog says language, marks and title."""
    root = PdfFileReader(io.BytesIO(made.pdf)).root
    packet = etree.fromstring(root["/Metadata"].data)
    for name, expected in _CLAIMS.items():
        found = [item.text for item in packet.iter(name)]
        found += [item.get(name) for item in packet.iter() if item.get(name) is not None]
        if found != [expected]:
            yield f"{name} is {found}"
    language = str(root.get("/Lang", "")).lower().split("-")[0]
    printed = made.edition.split(":")[1].split("+")
    if language not in printed:
        yield f"/Lang is {language!r}"
    if not root["/MarkInfo"]["/Marked"]:
        yield "/MarkInfo does not say that it is tagged"
    if not root["/ViewerPreferences"]["/DisplayDocTitle"]:
        yield "its title is not displayed"


def structure(made: Made, path: Path) -> Complaints:
    """Structure (ISO 14289-1, 7): pictures have a text, tables have heads, headings skip no level."""
    root = PdfFileReader(io.BytesIO(made.pdf)).root
    elements = list(_elements(root["/StructTreeRoot"]))
    kinds = [str(item.get("/S")) for item in elements]
    if "/Figure" not in kinds or "/H1" not in kinds:
        yield f"only {sorted(set(kinds))}"
    for item in elements:
        if item.get("/S") == "/Figure" and not str(item.get("/Alt", "")).strip():
            yield "a figure without /Alt"
        if item.get("/S") == "/Table" and "/TH" not in [str(inner.get("/S")) for inner in _elements(item)]:
            yield "a table without a header cell"
    last = 0
    for kind in kinds:
        if re.fullmatch(r"/H\d", kind):
            if int(kind[2:]) > last + 1:
                yield f"{kind} follows /H{last}"
            last = int(kind[2:])


def pages(made: Made, path: Path) -> Complaints:
    """``pdftotext``: every page names the certificate, and itself among how many; none is empty."""
    _, text = run("pdftotext", "-raw", path, "-")
    (*printed, after) = text.split("\f")
    if after.strip() or not printed:
        yield f"{len(printed)} pages and {after!r}"
    for language in made.edition.split(":")[1].split("+"):
        for number, page in enumerate(printed, start=1):
            if (str(number), str(len(printed))) not in _PAGES[language].findall(page):
                yield f"page {number} does not say so ({language})"
    _, pictures = run("pdfimages", "-list", path)
    pictured = {row.split()[0] for row in pictures.splitlines()[2:]}
    for number, page in enumerate(printed, start=1):
        if page.count(made.number) < 2:
            yield f"page {number} does not name {made.number} in head and foot"
        # An ideograph says as much as two letters and a half.
        weight = sum(2.5 if mark >= "\u2e80" else 1 for mark in "".join(page.split()))
        if weight < 200 and str(number) not in pictured:
            yield f"page {number} is nearly empty"


def verification(made: Made, path: Path) -> Complaints:
    """``evidence verify``: exit code 0, with nothing but the certificate and a trust file."""
    code, seen = run(
        sys.executable,
        *("-m", "evidence_service.cli", "verify", "--offline", "--trust", path.with_name("trust.json"), path),
    )
    if code:
        yield f"exit code {code}: {seen}"


def _elements(node: DictionaryObject) -> Iterator[Any]:
    """Structure elements below a node, in their order."""
    kids = node.get("/K", ())
    for kid in kids if isinstance(kids, ArrayObject) else [kids]:
        found = kid.get_object() if isinstance(kid, IndirectObject) else kid
        if isinstance(found, DictionaryObject) and "/S" in found:
            yield found
            yield from _elements(found)


JUDGES: tuple[Callable[[Made, Path], Complaints], ...] = (
    signature,
    syntax,
    fonts,
    attachments,
    level,
    metadata,
    structure,
    pages,
    verification,
)
