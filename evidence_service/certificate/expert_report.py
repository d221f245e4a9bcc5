"""A verification's answer as a document for an expert's file: HTML or PDF, the same content.

Input is the document ``evidence-verification/1``, so that nothing is shown that ``--json`` does not say.
"""

from __future__ import annotations

import html
from typing import Any

from evidence_service.certificate.edition import TEMPLATES
from evidence_service.certificate.typesetting import as_json, typeset

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733}
h1{font-size:1.5rem;color:#16324f}h2{font-size:1.15rem;margin-top:2.5rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{text-align:left;vertical-align:top;
padding:.4rem .6rem;border-bottom:1px solid #d5dce3;overflow-wrap:anywhere}th{font-weight:600}
td:first-child,td.pass,td.fail,td.not_checked,td.pending,th{white-space:nowrap}
.verdict{padding:.8rem 1rem;border-left:.4rem solid;background:#f5f7f9}
.pass{color:#1c6b3a}.fail{color:#a31515}.not_checked,.pending{color:#8a5a00}small{color:#55626f}
@media print{body{margin:0;max-width:none}}
"""
_COLOURS = {0: "pass", 3: "fail"}
_WORDS = {"pass": "passed", "fail": "FAILED", "not_checked": "not checked", "pending": "pending"}


def as_html(document: dict[str, Any]) -> bytes:
    """One self-contained page: no script, no font, no picture, no link to anywhere."""
    reports = document["reports"]
    parts = [_html_report(report) for report in reports] or ["<p>Nothing to verify was given.</p>"]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Verification report</title><style>{_STYLE}</style></head><body>"
        f"<h1>Verification report</h1>{''.join(parts)}"
        "<p><small>The numbers of the checks are those of the verification specification, version 1. A check "
        "that was not made is never counted as passed.</small></p></body></html>\n"
    )
    return page.encode()


def _html_report(report: dict[str, Any]) -> str:
    colour = _COLOURS.get(report["exit_code"], "pending")
    checks = "".join(
        f'<tr><td>{_text(check["id"])}</td><td class="{check["status"]}">{_WORDS[check["status"]]}</td>'
        f"<td>{_text(check['name'])}<br><small>{_text(check['why'])}"
        f"{_what_to_do(check)}</small></td></tr>"
        for check in report["checks"]
    )
    tables = "".join(
        f"<h3>{title}</h3><table>{''.join(_row(row) for row in rows)}</table>"
        for title, rows in _tables(report)
        if rows
    )
    return (
        f"<section><h2>{_text(report['subject'])}</h2>"
        f'<p class="verdict {colour}"><strong>{_text(report["verdict"].upper())}</strong> '
        f"{_text(report['sentence'])}<br><small>as of {_text(report['verified_at'])}</small></p>"
        f"<table><tr><th>check</th><th>result</th><th>what was seen</th></tr>{checks}</table>"
        f"{tables}</section>"
    )


def _what_to_do(check: dict[str, Any]) -> str:
    if check["status"] == "pass" or not check["what_to_do"]:
        return ""
    return f"<br>what to do: {_text(check['what_to_do'])}"


def _row(cells: list[str]) -> str:
    return "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _tables(report: dict[str, Any]) -> list[tuple[str, list[list[str]]]]:
    """What was confirmed, as rows of text, for both kinds of document."""
    evidence = report["evidence"]
    trusted = {True: "trusted", False: "not trusted by the policy"}
    canonical = {True: "a block of the chain", False: "not compared with the chain"}
    return [
        (
            "Times",
            [
                [item["time"], item["of"].replace("_", " "), item["authority"], trusted[item["trusted"]]]
                for item in evidence["timestamps"]
            ],
        ),
        (
            "Renewals",
            [
                [item["time"], f"renewal {number}: {renewal['kind'].replace('_', ' ')}", item["authority"],
                 trusted[item["trusted"]]]
                for number, renewal in enumerate(evidence["renewals"], start=1)
                for item in renewal["timestamps"]
            ],
        ),
        (
            "Blocks",
            [
                [item["block_time"], item["chain"] or f"chain {item['chain_id']}",
                 f"block {item['block_number']} {item['block_hash']}, transaction {item['transaction']}",
                 canonical[item["canonical"]]]
                for item in evidence["anchors"]
            ],
        ),
        ("Files given", [[item["status"], item["name"], item["path"] or ""] for item in evidence["files"]]),
        ("Files not given", [[path] for path in evidence["missing"]]),
        ("Trusted by the policy", [[line] for line in report["trusts"]]),
    ]  # fmt: skip


def as_pdf(document: dict[str, Any]) -> bytes:
    """The same content as PDF/UA.

    Raises:
        RenderError: the template cannot be compiled.
        ConfigurationError: the fonts are missing.
    """
    values = {
        "reports": [
            {**report, "tables": [{"title": title, "rows": rows} for title, rows in _tables(report) if rows]}
            for report in document["reports"]
        ]
    }
    files = {"report.json": as_json(values)}
    return typeset("expert/report.typ", files, templates=TEMPLATES, standards=("ua-1",))
