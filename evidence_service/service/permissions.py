"""Who may do what: roles are what people are called, scopes are what a request needs.

Every route of the API names one scope. A caller has the scopes of all his roles, or, where his key names
scopes, those of them that the key names too.
"""

from __future__ import annotations

from collections.abc import Iterable

SCOPES = {
    "matters:read": "See matters",
    "matters:write": "Register matters and change them",
    "captures:write": "Order captures, upload files, register digests",
    "evidence:read": "See evidence, its custody log, proofs and anchors",
    "evidence:download": "Take copies of preserved files and exhibits; noted in the custody log",
    "certificates:read": "See and download certificates and declarations",
    "certificates:write": "Order, supersede, withdraw and extend certificates",
    "exhibits:write": "Make exhibits, mask and withhold",
    "custody:manage": "Place and lift legal holds, set retention, ask for release or deletion",
    "custody:approve": "Approve what another one has asked for",
    "audit:read": "Read the organisation's custody log and its checkpoints",
    "verification:run": "Have bundles and certificates verified",
    "organisation:read": "See the organisation, its members and webhooks",
    "organisation:manage": "Change members, API keys and webhooks",
    "installation:read": "See chains and figures of the whole installation",
    "installation:manage": "Register organisations",
}

_SEE = frozenset(
    {"matters:read", "evidence:read", "certificates:read", "verification:run", "organisation:read"}
)
_WORK = _SEE | {"matters:write", "captures:write", "evidence:download"}

ROLES: dict[str, frozenset[str]] = {
    # Collects evidence for others: a brand's agent, a marketplace's platform.
    "operator": _WORK,
    # Whose rights are infringed, and his counsel: orders evidence and certificates of his own matters.
    "applicant": _WORK | {"certificates:write", "exhibits:write"},
    # Answers for what is kept: holds, retention, releases.
    "custodian": _SEE | {"evidence:download", "exhibits:write", "custody:manage", "audit:read"},
    "certifier": _SEE | {"certificates:write"},
    # The second person: looks at what others ask for and approves it.
    "reviewer": _SEE | {"custody:approve", "audit:read"},
    "auditor": _SEE | {"audit:read"},
    # Looks after members and keys, and sees no evidence by that.
    "administrator": frozenset({"organisation:read", "organisation:manage"}),
    # Runs the installation. Only keys of the settings have it.
    "installation": frozenset({"installation:read", "installation:manage"}),
}

OF_MEMBERS = frozenset(ROLES) - {"installation"}
"""Roles that an organisation can give its members."""


def role_with(roles: Iterable[str], scope: str) -> str:
    """The role by which somebody may do what needs a scope: the first of his that has it."""
    return next(role for role in roles if scope in ROLES.get(role, ()))


def scopes_of(roles: Iterable[str], narrowed: Iterable[str] | None = None) -> frozenset[str]:
    """The scopes of somebody with some roles.

    Args:
        narrowed: those his key names; None for a key that names none.
    """
    found = frozenset(scope for role in roles for scope in ROLES.get(role, ()))
    return found if narrowed is None else found & frozenset(narrowed)


def roles_with(scope: str) -> list[str]:
    """The roles that have a scope."""
    return [role for role, scopes in ROLES.items() if scope in scopes]
