"""Check 4.4: what the issuers of the authorities' certificates said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evidence_service.errors import EvidenceError
from evidence_service.verify import crl
from evidence_service.verify.path import common_name
from evidence_service.verify.report import Family, Status
from evidence_service.verify.steps.run import Run, Stamp


def check_revocation(run: Run, stamps: Sequence[Stamp]) -> None:
    """Check 4.4, over every token that was read."""
    if not any(stamp.crls for stamp in stamps):
        run.add("4.4", Status.NOT_CHECKED, "no revocation lists were collected", required=False)
        return
    judged: list[datetime] = []
    unknown, problems = 0, []
    try:
        for stamp in stamps:
            for data in stamp.crls:
                found = crl.read(data)
                names = _revoked(found, stamp)
                if names is None:
                    unknown += 1
                    continue
                judged.append(found.this_update)
                problems += names
    except EvidenceError as error:
        run.failed("4.4", error)
        return
    _conclude(run, judged, unknown, list(dict.fromkeys(problems)))


def _revoked(found: crl.RevocationList, stamp: Stamp) -> list[str] | None:
    revoked = crl.revoked(found, stamp.judged.path, at=stamp.judged.facts.gen_time)
    return None if revoked is None else [common_name(certificate.subject) for certificate in revoked]


def _conclude(run: Run, judged: Sequence[datetime], unknown: int, problems: Sequence[str]) -> None:
    other = f"; {unknown} lists not judged, the policy does not know their issuer" if unknown else ""
    if problems:
        run.add(
            "4.4",
            Status.FAIL,
            f"revoked by its issuer: {', '.join(problems)}{other}",
            "ask the authority since when its time stamps are not to be trusted",
            family=Family.TRUST,
        )
    elif judged:
        run.passed(
            "4.4", f"{len(judged)} revocation lists name none; the oldest is of {min(judged):%Y-%m-%d}{other}"
        )
    else:
        run.add(
            "4.4",
            Status.NOT_CHECKED,
            f"no revocation list could be judged{other}",
            "use a trust file that names these authorities, if you have reason to trust them",
            required=False,
        )
