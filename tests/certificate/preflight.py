"""Apache PDFBox's preflight as a second judge of PDF/A: fonts, colours, syntax, actions; for the campaign.

It judges by ISO 19005-1 (PDF/A-1b). What ISO 19005-3 allows and part 1 does not is expected and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.certificate.judges import run

PACKAGES = "default-jre-headless libpdfbox2-java libcommons-logging-java libjaxb-api-java"
_FOLDER = Path("/usr/share/java")
_JARS = ("preflight", "pdfbox2", "xmpbox", "fontbox2", "commons-logging", "commons-io", "javax.activation")
_EXPECTED = (
    # ISO 19005-3, 6.8: embedded files are what part 3 is for.
    re.compile(r"1\.2\.9 : .*EmbeddedFile|1\.4\.7 : .*EmbeddedFile"),
    # 6.2.3, 6.2.10: profiles of version 4, and transparency.
    re.compile(r"2\.1\.6 : .*Invalid version of the ICCProfile|4\.1\.2 : Transparency error, ca entry"),
    # 6.3.3: an annotation of no size needs no appearance.
    re.compile(r"5\.3\.1 : .*widget annotation lacks an appearance dictionary"),
    # PDFBox 2 reads no destination that is an indirect array (ISO 32000-1, 12.3.2.2 allows it).
    re.compile(r"1\.2\.3 : .*can't convert to Destination COSObject"),
    # Its reader of XMP knows neither PDF/UA's schema nor a prefix declared below the first element.
    re.compile(r"7\.3 : Error on MetaData, Schema is not set in this document : .*/pdfa/ns/extension/"),
)


def preflight_complaints(path: Path) -> Iterator[str]:
    """What it has against a certificate, beyond what part 3 allows."""
    jars = [_FOLDER / f"{name}.jar" for name in (*_JARS, "jaxb-api")]
    if missing := [str(jar) for jar in jars if not jar.exists()]:
        raise SystemExit(f"missing: {' '.join(missing)}; type: apt-get install {PACKAGES}")
    classes = ":".join(map(str, jars))
    _, seen = run("java", "-cp", classes, "org.apache.pdfbox.preflight.Validator_A1b", path)
    findings = re.findall(r"^\d+(?:\.\d+)* : .*$", seen, re.MULTILINE)
    if not findings:
        # It always has the attachments to complain about; silence means that it did not run.
        yield f"preflight: {seen[:500]}"
    for finding in sorted(set(findings)):
        if not any(expected.match(finding) for expected in _EXPECTED):
            yield f"preflight: {finding}"
