"""What a WACZ says of its members: the data package, the digest of it, and whether the members are that."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any, Final

from evidence_service.importing import json_text, wacz_signature
from evidence_service.importing.digests import Digests, DoubledDigest, UnknownDigestError, algorithm_of, parse
from evidence_service.importing.findings import Notes

PACKAGE: Final = "datapackage.json"
DIGEST: Final = "datapackage-digest.json"
_VERSIONS = ("1.1.0", "1.1.1")


@dataclass(slots=True)
class Resource:
    """What the data package declares of a member, and what was found.

    Attributes:
        size: bytes declared, None where it does not say.
    """

    label: str
    size: int | None
    digests: Digests = field(init=False)
    doubled: DoubledDigest = field(default_factory=DoubledDigest)
    read: int = 0

    def __post_init__(self) -> None:
        self.digests = Digests(algorithm_of(self.label))

    def update(self, data: bytes) -> None:
        """The next bytes of the member."""
        self.read += len(data)
        self.digests.update(data)
        self.doubled.update(data)


class Description:
    """The data package.

    Attributes:
        resources: by path, as they are declared.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.resources: dict[str, Resource] = {}

    def read(self, package: bytes | None, digest: bytes | None) -> None:
        """Read both documents (WACZ 1.1.1, section 5.1.4); None where one is missing."""
        if package is None:
            self._notes.add("wacz.datapackage", f"there is no {PACKAGE}")
            return
        value = self._object(PACKAGE, package)
        if value is None:
            return
        for name in ("title", "software", "created", "mainPageUrl", "mainPageURL", "mainPageDate"):
            if isinstance(value.get(name), str):
                self._notes.fact(name, value[name])
        if value.get("profile") != "data-package":
            self._notes.add("wacz.datapackage", "its profile is not “data-package”", PACKAGE)
        if value.get("wacz_version") not in _VERSIONS:
            version = value.get("wacz_version")
            self._notes.add("wacz.version", f"examined as 1.1.1; it says {version!r}", PACKAGE)
        resources = value.get("resources")
        for item in resources if isinstance(resources, list) else []:
            self._declare(item)
        if not isinstance(resources, list) or not resources:
            self._notes.add("wacz.datapackage", "it lists no resources", PACKAGE)
        self._digest(package, digest)

    def _declare(self, item: Any) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("path"), str):
            self._notes.add("wacz.datapackage", "a resource has no path", PACKAGE)
            return
        size, label = item.get("bytes"), item.get("hash")
        if item["path"] in self.resources:
            self._notes.add("wacz.datapackage", "a path is listed twice", item["path"])
        self.resources[item["path"]] = Resource(
            label if isinstance(label, str) else "", size if isinstance(size, int) else None
        )

    def _digest(self, package: bytes, data: bytes | None) -> None:
        if data is None:
            self._notes.add(
                "wacz.digest_missing", f"there is no {DIGEST}: the data package vouches for itself"
            )
            return
        value = self._object(DIGEST, data)
        if value is None:
            return
        label = value.get("hash")
        digests = Digests(algorithm_of(label if isinstance(label, str) else None))
        digests.update(package)
        try:
            holds = isinstance(label, str) and digests.holds(label)
        except UnknownDigestError:
            holds = False
        if not holds:
            self._notes.add("wacz.digest", f"the declared hash {label!r} is not that of {PACKAGE}", DIGEST)
        if "signedData" in value:
            wacz_signature.examine(value["signedData"], label, self._notes)
        else:
            self._notes.add("wacz.unsigned", "nobody signed it: who made it is only said", DIGEST)

    def _object(self, name: str, data: bytes) -> dict[str, Any] | None:
        try:
            value = json_text.parse(data)
        except ValueError as error:
            self._notes.add("wacz.datapackage", f"it is not JSON: {error}", name)
            return None
        if not isinstance(value, dict):
            self._notes.add("wacz.datapackage", "it is not a JSON object", name)
            return None
        return value

    def compare(self, members: Set[str]) -> None:
        """Every member is what the data package declares, and every declared resource is there."""
        right = 0
        for path, resource in self.resources.items():
            if path not in members:
                self._notes.add(
                    "wacz.resource_missing", "listed in the data package, and not in the archive", path
                )
                continue
            if resource.size is not None and resource.size != resource.read:
                words = f"{resource.size} bytes are declared, there are {resource.read}"
                self._notes.add("wacz.resource_size", words, path)
            right += self._right(path, resource)
        for path in sorted(members - set(self.resources) - {PACKAGE, DIGEST}):
            self._notes.add("wacz.member_unlisted", "in the archive, and not in the data package", path)
        self._notes.fact("resources with the declared hash", right)

    def _right(self, path: str, resource: Resource) -> bool:
        if not resource.label:
            self._notes.add("wacz.resource_unhashed", "no hash is declared", path)
            return False
        try:
            if resource.digests.holds(resource.label):
                return True
            algorithm, declared = parse(resource.label)
        except UnknownDigestError:
            self._notes.add("wacz.resource_unhashed", f"{resource.label!r} was not computed", path)
            return False
        if algorithm == "sha256" and resource.doubled.digest() == declared:
            self._notes.add(
                "wacz.resource_hash_doubled",
                "the declared hash is the hash of the file with each chunk counted twice, the known defect "
                "of Scoop's writer (js-wacz); the bytes are those that were written, their own hash is "
                f"sha256:{resource.digests.hexadecimal('sha256')}",
                path,
            )
        else:
            words = f"declared is {resource.label}, computed {resource.digests.hexadecimal(algorithm)}"
            self._notes.add("wacz.resource_hash", words, path)
        return False
