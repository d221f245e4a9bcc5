"""From paths to what the engine verifies: certificates, bundles, and the evidence files beside them.

Everything may come in any order, in folders or in ZIP archives (WACZ, exhibit packages); files find the
certificate that lists them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from evidence_service.core import bundle
from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError, RefusedError
from evidence_service.verify import pdf
from evidence_service.verify.certificate import open_certificate
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.register import CertificateFile
from evidence_service.verify.steps.files import same_path
from evidence_service.verify.steps.seal import BUNDLE_NAME

if TYPE_CHECKING:
    import zipfile

_CHUNK = 1 << 20
_MAX_FILES = 20_000
_ZIP = b"PK\x03\x04"
_FORMAT = b'"format":"' + bundle.FORMAT.split("/")[0].encode()


@dataclass(frozen=True, slots=True)
class _Source:
    """A file given: on the disk, inside an archive (``member``), or standard input (``data``)."""

    path: Path
    member: zipfile.ZipInfo | None = None
    data: bytes | None = None

    @property
    def name(self) -> str:
        return self.path.as_posix() + ("" if self.member is None else f"/{self.member.filename}")

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for reading, whatever it is."""
        if self.data is not None:
            import io  # noqa: PLC0415 - only for standard input

            yield io.BytesIO(self.data)
        elif self.member is not None:
            from evidence_service.verify import archive  # noqa: PLC0415 - only where an archive is given

            with archive.open_member(self.path, self.member) as reader:
                yield reader
        else:
            try:
                with self.path.open("rb") as file:
                    yield file
            except OSError as error:
                raise RefusedError(f"{self.path} cannot be read: {error.strerror}") from error

    def read(self, size: int) -> bytes:
        """The first bytes."""
        with self.open() as reader:
            return reader.read(size)

    def read_whole(self, limit: int) -> bytes:
        """Everything, unless it is more than the limit."""
        data = self.read(limit + 1)
        if len(data) > limit:
            raise LimitExceededError(f"{self.name} is larger than {limit} bytes")
        return data

    def digest(self) -> Digest:
        """Digest of everything, read in pieces."""
        digester = Digester()
        with self.open() as reader:
            while chunk := reader.read(_CHUNK):
                digester.update(chunk)
        return digester.digest()


def gather(paths: Sequence[Path], digests: Sequence[bytes] = ()) -> list[Material]:
    """What is to be verified among some paths; folders and archives are looked through.

    A PDF is a certificate, a file that says it is a proof bundle is one, everything else is evidence. A PDF,
    bundle or archive that is listed as evidence by a certificate is evidence itself. A bundle that a
    certificate holds as well is not verified twice.

    Args:
        paths: files, folders, or ``-`` for standard input.
        digests: bare digests to compare with every certificate or bundle.

    Raises:
        RefusedError: a path cannot be read.
        LimitExceededError, MalformedError: too many files, or an archive that is broken.
    """
    sources, archives = _sources(paths)
    found: list[tuple[_Source, Material]] = []
    others: list[_Source] = []
    for source in sources:
        material = _material(source)
        if material is None:
            others.append(source)
        else:
            found.append((source, material))
    manifests = {material.subject: _manifest(material) for _, material in found}
    files, evidence = _listed_archives(archives, manifests)
    if found:
        files += [EvidenceFile(item.name, item.digest()) for item in others if item.path not in evidence]
    subjects = []
    for source, material in found:
        file = None if manifests[material.subject] else EvidenceFile(source.name, source.digest())
        if file is not None and any(_lists(listed, file) for listed in manifests.values()):
            files.append(file)
        else:
            subjects.append(material)
    sealed = {item.bundle for item in subjects if item.certificate is not None}
    subjects = [item for item in subjects if item.certificate is not None or item.bundle not in sealed]
    return _paired(subjects, files, manifests, digests)


def _listed_archives(
    archives: dict[Path, EvidenceError | None], manifests: dict[str, dict[str, Any] | None]
) -> tuple[list[EvidenceFile], set[Path]]:
    """Archives that are evidence as a whole, so that their members are not asked for.

    Raises:
        MalformedError, LimitExceededError: an archive that nobody lists could not be looked into.
    """
    files, evidence = [], set()
    for path, trouble in archives.items():
        file = EvidenceFile(path.as_posix(), _Source(path).digest())
        if any(_lists(listed, file) for listed in manifests.values()):
            files.append(file)
            evidence.add(path)
        elif trouble is not None:
            raise trouble
    return files, evidence


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
    return [replace(item, files=tuple(given[item.subject]), digests=tuple(digests)) for item in subjects]


def _lists(manifest: dict[str, Any] | None, file: EvidenceFile) -> bool:
    wanted = file.digest.sha256.hex()
    return manifest is not None and any(item["sha256"] == wanted for item in manifest["files"])


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


def _material(source: _Source) -> Material | None:
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


def _bundle(source: _Source) -> Material:
    # One byte more than the limit is enough for the engine to report it as over the limit (0.1).
    return Material(source.name, bundle=source.read(bundle.LIMIT + 1))


def _certificate(source: _Source) -> Material:
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


def _sources(paths: Iterable[Path]) -> tuple[list[_Source], dict[Path, EvidenceError | None]]:
    """Every file, those inside archives too; and the archives, with what is wrong with them."""
    result: list[_Source] = []
    archives: dict[Path, EvidenceError | None] = {}
    for path in paths:
        if str(path) == "-":
            result.append(_Source(Path("standard input"), data=sys.stdin.buffer.read(pdf.SIZE_LIMIT + 1)))
            continue
        for item in _walk(path):
            source = _Source(item)
            if source.read(4) == _ZIP:
                members, archives[item] = _look_into(item)
                result += members
            else:
                result.append(source)
            if len(result) > _MAX_FILES:
                raise LimitExceededError(f"more than {_MAX_FILES} files were given")
    return result, archives


def _walk(path: Path) -> Iterator[Path]:
    if path.is_dir():
        # Links are not followed: a folder from somebody else must not lead out of itself.
        yield from sorted(item for item in path.rglob("*") if item.is_file() and not item.is_symlink())
    elif path.is_file():
        yield path
    else:
        raise RefusedError(f"there is no file {path}", what_to_do="check the path")


def _look_into(path: Path) -> tuple[list[_Source], EvidenceError | None]:
    from evidence_service.verify import archive  # noqa: PLC0415 - only where an archive is given

    try:
        return [_Source(path, member=item) for item in archive.members(path)], None
    except EvidenceError as error:
        return [], error
