"""The NIST reference problems with `lm` and `bfgs`, defaults only; writes docs/nist.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import symopt
from symopt.tables import read_table

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "nist"
CERTIFIED = json.loads((ROOT / "tests" / "data" / "nist" / "nist_strd.json").read_text())
DIGITS = 11  # what NIST certifies
HEADING = """\
# NIST StRD nonlinear regression

Correct digits (log relative error, at most the 11 that are certified) of the worst parameter, the
worst standard error and the sum of squares, `method="lm"` with defaults only, and of the worst
parameter with `method="bfgs"`. Written by `make bench`. A negative number is another minimum, or a
plateau. Lanczos1 has data to 13 digits: its sum of squares, 1.4e-25, and so its standard errors,
are below rounding.

| problem | start | lm: params | std. errors | sum of squares | iterations | bfgs: params |
| --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Row:
    """One fit: correct digits of the worst parameter, standard error and of the sum of squares."""

    problem: str
    start: int
    parameters: float
    errors: float
    squares: float
    iterations: int
    bfgs: float


def digits(found, certified) -> float:
    """The least number of correct digits (log relative error), at most those certified."""
    found, certified = np.ravel(found), np.ravel(certified)
    error = np.abs(found - certified) / np.abs(certified)
    with np.errstate(divide="ignore"):
        return float(np.min(np.clip(-np.log10(error), -9, DIGITS)))


def in_order(problem: str, found: np.ndarray) -> np.ndarray:
    """The parameters, the terms of sums of like ones in the order of the certified values.

    Lanczos's three exponentials may come in any order: the minimum is the same.
    """
    if not problem.startswith("Lanczos"):
        return found
    terms = found.reshape(3, 2)
    return terms[np.argsort(terms[:, 1])].ravel()


def fit(record: dict, start: int) -> Row:
    name = record["name"].lower()
    table = read_table(str(EXAMPLES / f"{name}.csv"))
    model = symopt.load(EXAMPLES / f"{name}.sym")
    problem = model.bind({column.name: column.values for column in table.columns})
    x0 = np.array(record[f"start{start}"])
    result = symopt.minimize(problem, method="lm", x0=x0)
    stderr = np.concatenate([np.ravel(value) for value in result.stderr.values()])
    bfgs = symopt.minimize(problem, method="bfgs", x0=x0)
    return Row(
        problem=record["name"],
        start=start,
        parameters=digits(result.x, record["certified"]),
        errors=digits(stderr, record["certified_sd"]),
        squares=digits(result.fun, record["rss"]),
        iterations=result.nit,
        bfgs=digits(in_order(record["name"], bfgs.x), record["certified"]),
    )


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [fit(record, start) for record in CERTIFIED["problems"] for start in (1, 2)]


def test_certified_parameters(rows):
    assert min(row.parameters for row in rows) >= 6
    assert np.mean([row.parameters for row in rows]) >= 9


def test_certified_standard_errors(rows):
    # Lanczos1's sum of squares, 1.4e-25, is below what rounding leaves of it.
    assert min(row.errors for row in rows if row.problem != "Lanczos1") >= 5


def test_bfgs_from_the_second_start(rows):
    assert min(row.bfgs for row in rows if row.start == 2) >= 4


def test_write_the_table(rows):
    lines = [HEADING]
    for r in rows:
        lines.append(
            f"| {r.problem} | {r.start} | {r.parameters:.1f} | {r.errors:.1f} | {r.squares:.1f} "
            f"| {r.iterations} | {r.bfgs:.1f} |"
        )
    average = np.mean([row.parameters for row in rows])
    worst = min(row.parameters for row in rows)
    lines += ["", f"Average of `lm` over all {len(rows)} fits: {average:.2f}; worst: {worst:.1f}."]
    text = "\n".join(lines) + "\n"
    (ROOT / "docs" / "nist.md").write_text(text)
    print("\n" + text)
    assert (ROOT / "docs" / "nist.md").read_text().count("\n| ") == len(rows) + 2
