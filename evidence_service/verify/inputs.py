"""From paths to what the engine verifies: certificates, bundles, and the evidence files beside them.

Everything may come in any order, in folders or in ZIP archives; files find the certificate that lists them.
In an exhibit package they have their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evidence_service.core import bundle
from evidence_service.errors import EvidenceError, MalformedError
from evidence_service.verify import pdf
from evidence_service.verify.certificate import open_certificate
from evidence_service.verify.exhibits import materials_of
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.register import CertificateFile
from evidence_service.verify.sources import Source, look_through
from evidence_service.verify.steps.files import same_path
from evidence_service.verify.steps.seal import BUNDLE_NAME

_FORMAT = b'"format":"' + bundle.FORMAT.split("/")[0].encode()


def gather(paths: Sequence[Path], digests: Sequence[bytes] = ()) -> list[Material]:
    """What is to be verified among some paths; folders and archives are looked through.

    A PDF is a certificate, a file that says it is a proof bundle is one, everything else is evidence. A PDF,
    bundle or archive that is listed as evidence by a certificate is evidence itself; a certificate that is
    listed is both. A bundle that a certificate holds as well is not verified twice.

    Args:
        paths: files, folders, or ``-`` for standard input.
        digests: bare digests to compare with every certificate or bundle.

    Raises:
        RefusedError: a path cannot be read.
        LimitExceededError, MalformedError: too many files, or an archive that is broken.
    """
    given = look_through(paths)
    found: list[tuple[Source, Material]] = []
    others: list[Source] = []
    for source in given.loose:
        material = _material(source)
        if material is None:
            others.append(source)
        else:
            found.append((source, material))
    manifests = {material.subject: _manifest(material) for _, material in found}
    exhibits = [item for item in given.exhibits if not _is_evidence(item.path, manifests)]
    inside = [material for item in exhibits for material in materials_of(item, _material)]
    manifests |= {material.subject: _manifest(material) for material in inside}
    looked_into = {item.path for item in exhibits}
    files, evidence = _listed_archives(
        {path: trouble for path, trouble in given.archives.items() if path not in looked_into}, manifests
    )
    if found or inside:
        files += [EvidenceFile(item.name, item.digest()) for item in others if item.path not in evidence]
    subjects = []
    for source, material in found:
        file = None if manifests[material.subject] else EvidenceFile(source.name, source.digest())
        if file is not None and any(_lists(listed, file) for listed in manifests.values()):
            files.append(file)
            continue
        subjects.append(material)
        # What one bundle certifies may be listed by another: the registered digest of a certificate.
        if material.file is not None and _listed(material.file.digests[0], manifests):
            files.append(EvidenceFile(source.name, source.digest()))
    sealed = {item.bundle for item in subjects if item.certificate is not None}
    subjects = [item for item in subjects if item.certificate is not None or item.bundle not in sealed]
    return _paired([*subjects, *inside], files, manifests, digests)


def _listed_archives(
    archives: dict[Path, EvidenceError | None], manifests: dict[str, dict[str, Any] | None]
) -> tuple[list[EvidenceFile], set[Path]]:
    """Archives that are evidence as a whole, so that their members are not asked for.

    Raises:
        MalformedError, LimitExceededError: an archive that nobody lists could not be looked into.
    """
    files, evidence = [], set()
    for path, trouble in archives.items():
        file = EvidenceFile(path.as_posix(), Source(path).digest())
        if any(_lists(listed, file) for listed in manifests.values()):
            files.append(file)
            evidence.add(path)
        elif trouble is not None:
            raise trouble
    return files, evidence


def _is_evidence(path: Path, manifests: dict[str, dict[str, Any] | None]) -> bool:
    """Whether an exhibit is itself a file of evidence that is given beside it."""
    if not path.is_file() or not any(manifests.values()):
        return False
    file = EvidenceFile(path.as_posix(), Source(path).digest())
    return any(_lists(listed, file) for listed in manifests.values())


def _paired(
    subjects: list[Material],
    files: list[EvidenceFile],
    manifests: dict[str, dict[str, Any] | None],
    digests: Sequence[bytes],
) -> list[Material]:
    """Give every file to those that list it, else to those that list its path, else to all."""
    given: dict[str, list[EvidenceFile]] = {item.subject: [] for item in subjects}
    for file in files:
        owners = [name for name in given if _lists(manifests[name], file)]
        owners = owners or [name for name in given if _names(manifests[name], file)]
        for name in owners or given:
            given[name].append(file)
    return [
        replace(item, files=(*item.files, *given[item.subject]), digests=tuple(digests)) for item in subjects
    ]


def _lists(manifest: dict[str, Any] | None, file: EvidenceFile) -> bool:
    wanted = file.digest.sha256.hex()
    return manifest is not None and any(item["sha256"] == wanted for item in manifest["files"])


def _listed(sha256: str, manifests: dict[str, dict[str, Any] | None]) -> bool:
    return any(
        item["sha256"] == sha256 for manifest in manifests.values() if manifest for item in manifest["files"]
    )


def _names(manifest: dict[str, Any] | None, file: EvidenceFile) -> bool:
    return manifest is not None and any(same_path(file.name, item["path"]) for item in manifest["files"])


def _manifest(material: Material) -> dict[str, Any] | None:
    """The manifest, for pairing only; the engine parses the bundle again and reports what is wrong."""
    if material.trouble is not None:
        return None
    try:
        found: dict[str, Any] = bundle.parse(material.bundle)["manifest"]
    except EvidenceError:
        return None
    return found


def _material(source: Source) -> Material | None:
    """A certificate or bundle; None for anything else."""
    head = source.read(16)
    if head.startswith(b"%PDF-") or source.name.lower().endswith(".pdf"):
        return _certificate(source)
    named = source.name.lower().endswith(".json")
    # The members of a bundle are in order of name, so its format stands behind custody and anchors.
    if source.name.endswith(BUNDLE_NAME) or (named and _FORMAT in source.read(bundle.LIMIT)):
        return _bundle(source)
    if source.data is not None and _FORMAT in source.data:
        return Material(source.name, bundle=source.data)
    return None


def _bundle(source: Source) -> Material:
    # One byte more than the limit is enough for the engine to report it as over the limit (0.1).
    return Material(source.name, bundle=source.read(bundle.LIMIT + 1))


def _certificate(source: Source) -> Material:
    data = b""
    try:
        data = source.read_whole(pdf.SIZE_LIMIT)
        opened = open_certificate(data)
        if BUNDLE_NAME not in opened.attachments:
            raise MalformedError(f"the PDF is sealed, but holds no {BUNDLE_NAME}: it is not a certificate")
    except EvidenceError as error:
        return Material(source.name, trouble=_explained(error, data))
    return Material(
        source.name,
        bundle=opened.attachments[BUNDLE_NAME],
        certificate=opened,
        file=CertificateFile.of(data),
    )


def _explained(error: EvidenceError, data: bytes) -> EvidenceError:
    """The same, said to somebody who took another PDF for a certificate; the verdict stays what it is."""
    if not data or BUNDLE_NAME.encode() in data:
        return error
    return type(error)(
        f"this is not a certificate of this project: nothing in it is named {BUNDLE_NAME} ({error.message})",
        what_to_do="give the certificate; a PDF that is evidence, give beside the certificate that lists it",
    )
