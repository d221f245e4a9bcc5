"""A login state an operator supplies: checked strictly, and known only to be kept out of the record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from evidence_service.errors import RefusedError

_MAX_BYTES = 1024 * 1024
_MAX_COOKIES = 500
_MAX_ORIGINS = 50
_COOKIE: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "value": str,
    "domain": str,
    "path": str,
    "expires": (int, float),
    "httpOnly": bool,
    "secure": bool,
    "sameSite": str,
}
_REQUIRED = ("name", "value", "domain", "path")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LAST_EXPIRY = 253_402_300_800
"""Begin of the year 10000."""
_WHAT_TO_DO = 'give what Playwright\'s storage_state saves: {"cookies": […], "origins": […]}'


def check_login_state(state: Mapping[str, Any]) -> None:
    """Check the shape, ``{"cookies": […], "origins": [{"origin", "localStorage": [{"name", "value"}]}]}``.

    Raises:
        RefusedError: names the place that is wrong, never a value.
    """
    if not isinstance(state, Mapping) or set(state) - {"cookies", "origins"} or not state:
        raise _refuse("it has to be an object with cookies and origins")
    try:
        size = len(json.dumps(state, default=str))
    except RecursionError as error:
        raise _refuse("it is nested too deep") from error
    if size > _MAX_BYTES:
        raise _refuse(f"it is larger than {_MAX_BYTES} bytes")
    for where, cookie in _items(state, "cookies", _MAX_COOKIES):
        _check_cookie(where, cookie)
    for where, origin in _items(state, "origins", _MAX_ORIGINS):
        if set(origin) - {"origin", "localStorage"} or not _is_origin(origin.get("origin")):
            raise _refuse(f"{where} has to have an http or https origin and its localStorage")
        for place, item in _items(origin, "localStorage", _MAX_COOKIES, where):
            if set(item) != {"name", "value"} or not all(isinstance(part, str) for part in item.values()):
                raise _refuse(f"{place} has to be a name and a value")


def login_hosts(state: Mapping[str, Any]) -> list[str]:
    """Hosts a login state is for, in alphabetic order."""
    cookies = {str(cookie["domain"]).lstrip(".") for cookie in state.get("cookies", [])}
    origins = {urlsplit(origin["origin"]).hostname or "" for origin in state.get("origins", [])}
    return sorted(cookies | origins)


def _check_cookie(where: str, cookie: Mapping[str, Any]) -> None:
    for name, value in cookie.items():
        if name not in _COOKIE:
            raise _refuse(f"{where} has a member that cookies do not have")
        if not isinstance(value, _COOKIE[name]) or (isinstance(value, bool) and _COOKIE[name] is not bool):
            raise _refuse(f"{where}: {name} has the wrong type")
    for name in _REQUIRED:
        if name not in cookie:
            raise _refuse(f"{where} has no {name}")
    if not cookie["name"] or not cookie["domain"]:
        raise _refuse(f"{where} has an empty name or domain")
    if any(_CONTROL.search(cookie[name]) for name in _REQUIRED) or not cookie["path"].startswith("/"):
        raise _refuse(f"{where} has a control character, or a path that does not begin with a slash")
    # Playwright: -1 is a cookie of the session, everything else a time.
    if not (cookie.get("expires", -1) == -1 or 0 < cookie["expires"] < _LAST_EXPIRY):
        raise _refuse(f"{where}: expires has to be -1 or seconds since 1970")
    if cookie.get("sameSite", "Lax") not in ("Strict", "Lax", "None"):
        raise _refuse(f"{where}: sameSite has to be Strict, Lax or None")


def _items(
    value: Mapping[str, Any], name: str, at_most: int, where: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = value.get(name, [])
    place = f"{where}, {name}" if where else name
    if not isinstance(found, list) or len(found) > at_most:
        raise _refuse(f"{place} has to be a list of at most {at_most}")
    for number, item in enumerate(found, start=1):
        if not isinstance(item, dict):
            raise _refuse(f"{place} {number} has to be an object")
        yield f"{place} {number}", item


def _is_origin(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")


def _refuse(why: str) -> RefusedError:
    return RefusedError(f"the login state cannot be used: {why}", what_to_do=_WHAT_TO_DO)
