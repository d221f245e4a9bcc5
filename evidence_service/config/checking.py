"""Everything that is wrong with the settings, at once: nothing is made, no socket is opened.

``load`` stops at the first problem, because a service cannot start with it; whoever writes the settings wants
all of them. Unknown names are looked for here by themselves: an unknown member of a nested table, or a
variable with a slip in its name, would otherwise be a setting that silently does nothing.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsConfigDict

from evidence_service.config.client import ClientSettings
from evidence_service.config.settings import Settings

_PREFIX = "EVIDENCE_"
_NOT_SETTINGS = {"CONFIG", *(name.upper() for name in ClientSettings.model_fields)}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should be otherwise.

    Attributes:
        setting: where, e.g. ``chains.0.rpc_urls``, or the name of a variable.
        severity: ``problem``: the service would not start, or not do what is written; ``warning``: unsafe.
    """

    setting: str
    severity: Literal["problem", "warning"]
    message: str
    what_to_do: str


def findings() -> tuple[list[Finding], Settings | None]:
    """What is wrong with the settings of this process, and what the rest of them says.

    Members that cannot be used are looked at as if they had not been set, so that one problem hides no other.
    """
    try:
        written = _written()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is not a JSON object ({error})"
        return [
            _problem("EVIDENCE_CONFIG", f"the settings file cannot be read: {reason}", "correct it")
        ], None
    found = [*_unknown(Settings, written, ""), *_unknown_variables()]
    wrong: dict[str, Any] = {}
    try:
        Settings()
    except ValidationError as error:
        named = {item.setting for item in found}
        for item in error.errors(include_input=False, include_url=False):
            setting = ".".join(str(part) for part in item["loc"]) or "settings"
            if item["type"] != "extra_forbidden" or setting not in named:
                words = item["msg"].removeprefix("Value error, ")
                found.append(_problem(setting, words, "see docs/reference/settings.md for what can be set"))
            name = str(item["loc"][0]) if item["loc"] else ""
            if name in Settings.model_fields:
                wrong[name] = Settings.model_fields[name].get_default(call_default_factory=True)
    rest = _Rest(**wrong)
    return [*found, *_files(rest, ""), *_unsafe(rest)], rest


class _Rest(Settings):
    """Settings without what cannot be used."""

    model_config = SettingsConfigDict(extra="ignore")


def _problem(setting: str, message: str, what_to_do: str) -> Finding:
    return Finding(setting, "problem", message, what_to_do)


def _written() -> Mapping[str, Any]:
    name = os.environ.get("EVIDENCE_CONFIG", "")
    value = json.loads(Path(name).read_text(encoding="utf-8")) if name else {}
    if not isinstance(value, dict):
        raise ValueError("it is a list or a single value")  # noqa: TRY004 - one family of errors for the caller
    return value


# --- names ---


def _unknown(model: type[BaseModel], written: Any, where: str) -> Iterator[Finding]:
    """Members of a document that no setting has, with the nearest that there is."""
    if not isinstance(written, Mapping):
        return
    for name, value in written.items():
        field = model.model_fields.get(name)
        if field is None:
            yield _misnamed(f"{where}{name}", name, model.model_fields)
            continue
        inner = _models(field.annotation)
        items = value if isinstance(value, list) else [value]
        for position, item in enumerate(items):
            chosen = _fitting(inner, item)
            if chosen is not None:
                place = f"{where}{name}.{position}." if isinstance(value, list) else f"{where}{name}."
                yield from _unknown(chosen, item, place)


def _unknown_variables() -> Iterator[Finding]:
    for variable in sorted(os.environ):
        if not variable.startswith(_PREFIX) or variable.removeprefix(_PREFIX) in _NOT_SETTINGS:
            continue
        model: type[BaseModel] | None = Settings
        for part in variable.removeprefix(_PREFIX).lower().split("__"):
            if model is None or part not in model.model_fields:
                yield _misnamed(variable, part, model.model_fields if model else {})
                break
            model = next(iter(_models(model.model_fields[part].annotation)), None)


def _misnamed(setting: str, name: str, known: Mapping[str, Any]) -> Finding:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    advice = f"did you mean {near[0]}?" if near else "remove it; see docs/reference/settings.md"
    return _problem(setting, f"there is no setting {name}", advice)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Tables a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return (
        [found for part in get_args(annotation) for found in _models(part)] if get_origin(annotation) else []
    )


def _fitting(models: list[type[BaseModel]], item: Any) -> type[BaseModel] | None:
    """Of several tables the one whose ``kind`` is written."""
    if not isinstance(item, Mapping) or not models:
        return None
    for model in models:
        kind = model.model_fields.get("kind")
        if kind is not None and item.get("kind") in get_args(kind.annotation):
            return model
    return models[0] if len(models) == 1 else None


# --- files ---


def _files(model: BaseModel, where: str) -> Iterator[Finding]:
    """Files that are named and cannot be read; what the service makes itself is left out."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        many = isinstance(value, list)
        for position, item in enumerate(value if many else [value]):
            setting = f"{where}{name}.{position}" if many else f"{where}{name}"
            if isinstance(item, BaseModel):
                yield from _files(item, f"{setting}.")
            elif isinstance(item, Path) and name != "data_directory":
                yield from _file(setting, item)


def _file(setting: str, path: Path) -> Iterator[Finding]:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        yield _problem(setting, f"{path} cannot be read: {error.strerror}", "correct the path, or its rights")
        return
    if setting.endswith(("password_file", "pin_file", "token_file")) or setting == "receipt_key":
        mode = path.stat().st_mode
        if mode & 0o007:
            yield Finding(setting, "warning", f"everybody may read the secret in {path}", f"chmod o= {path}")


# --- what can be used, and should not be ---


def _unsafe(settings: Settings) -> Iterator[Finding]:
    for setting, url in _addresses(settings, ""):
        if url.lower().startswith("http://") and not _private(url):
            yield Finding(
                setting, "warning", "an address outside this network without TLS", "use https, or a tunnel"
            )
    if settings.api_host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        yield Finding(
            "api_host",
            "warning",
            "the API speaks no TLS and listens on every address",
            "listen on 127.0.0.1 or a private address behind a proxy with TLS; see deploy/nginx.conf",
        )
    if not _loopback(settings.api_host) and all(_loopback(item) for item in settings.trusted_proxies):
        yield Finding(
            "trusted_proxies",
            "warning",
            "no proxy on another machine is trusted: all who come through it are counted as one caller",
            "name its address, as the API sees it; see docs/how-to/deploy.md",
        )
    if settings.purpose == "evidence":
        for position, exception in enumerate(settings.egress_exceptions):
            yield Finding(
                f"egress_exceptions.{position}",
                "warning",
                f"captures may reach {exception} although it is not public",
                "remove it, unless it is an authority of your own",
            )
    if len({item.sha256 for item in settings.api_keys}) < len(settings.api_keys):
        yield _problem(
            "api_keys", "two entries have the same key: only one holder is known by it", "make another"
        )
    if settings.authorities and len(settings.authorities) < settings.authorities_minimum:
        yield _problem(
            "authorities_minimum",
            f"{settings.authorities_minimum} have to answer, and {len(settings.authorities)} are set",
            "add authorities, or lower authorities_minimum",
        )


def _addresses(model: BaseModel, where: str) -> Iterator[tuple[str, str]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        many = isinstance(value, list)
        for position, item in enumerate(value if many else [value]):
            setting = f"{where}{name}.{position}" if many else f"{where}{name}"
            if isinstance(item, BaseModel):
                yield from _addresses(item, f"{setting}.")
            elif isinstance(item, str) and item.lower().startswith("http"):
                yield setting, item


def _loopback(host: str) -> bool:
    """Whether an address, a network or a name is this machine's own."""
    try:
        return ipaddress.ip_network(host).is_loopback
    except ValueError:
        return host == "localhost"


def _private(url: str) -> bool:
    """Whether an address is this machine's or this network's, as far as it can be told without asking."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        # A name of one word, or under a domain that only private networks have (RFC 6762, RFC 9476).
        return "." not in host or host.endswith((".local", ".internal", ".localhost", ".test"))
