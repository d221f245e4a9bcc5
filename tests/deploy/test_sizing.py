"""The model of docs/explanation/sizing.md is carried out again: every result follows from its formula."""

from __future__ import annotations

import ast
import math
import re

from evidence_service.config import Settings
from tests.running import ROOT

SIZING = (ROOT / "docs" / "explanation" / "sizing.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (?:`([^`]+)` \| )?([\d,.]+) \|", re.MULTILINE)
ALLOWED = (ast.Expression, ast.BinOp, ast.Call, ast.Name, ast.Load, ast.Constant, ast.operator)


def number(words: str) -> float:
    return float(words.replace(",", ""))


def carry_out(formula: str, values: dict[str, float]) -> float:
    tree = ast.parse(formula, mode="eval")
    assert all(isinstance(node, ALLOWED) for node in ast.walk(tree)), formula
    functions = {"max": max, "ceil": math.ceil}
    return float(eval(compile(tree, "sizing", "eval"), {"__builtins__": {}}, functions | values))


def test_every_result_is_what_its_formula_gives() -> None:
    rows = ROW.findall(SIZING)
    values = {symbol: number(value) for symbol, formula, value in rows if not formula}
    results = [(symbol, formula, value) for symbol, formula, value in rows if formula]
    assert len(values) >= 15 and len(results) >= 12
    for symbol, formula, value in results:
        found = carry_out(formula, values)
        places = len(value.split(".")[1]) if "." in value else 0
        # Large results are told to three figures.
        unit = max(10.0**-places, 10.0 ** (math.floor(math.log10(found)) - 2) if not places else 0)
        assert abs(found - number(value)) <= unit / 2 * 1.000001, (
            f"{symbol}: {formula} is {found}, not {value}"
        )
        values[symbol] = found


def test_what_is_called_a_default_is_one() -> None:
    values = {symbol: number(value) for symbol, formula, value in ROW.findall(SIZING) if not formula}
    settings = Settings()
    assert values["batch_seconds"] == settings.batch_seconds
    assert values["batch_size"] == settings.batch_size
    assert values["authorities"] == settings.authorities_minimum


def test_gas_is_what_the_reference_says() -> None:
    values = {symbol: value for symbol, formula, value in ROW.findall(SIZING) if not formula}
    assert f"| `anchor`, first | {values['gas']} |" in (ROOT / "docs" / "reference" / "gas.md").read_text()
