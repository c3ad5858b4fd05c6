"""Generated test files: right for right functions, and wrong for each that is a little wrong."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.artifacts.generated import file as generated_tests
from tests.support.generated_tests import STEM, StandIn, outcomes

ROOT = Path(__file__).parents[3]
GOOD = ROOT / "tests" / "programs" / "good"
OF_LOSS = ("value", "grad", "value_and_grad", "hvp", "hess")
OF_CUT = ("residuals", "jac", "residuals_and_jac", "jvp", "vjp", "gauss_newton", "gnvp")
CURVE = """
data x[n], y[n], ridge = 0.1
param a init 1.5, b init 0.7, c[2] init 0.3
residual r[i] = y[i] - a * exp(-b * x[i]) - c[0] - c[1] * x[i]
residual prior = ridge * (a - 1)
"""
ROBUST = """
data obs[n, 2], x[n]
param c[2] init 0.4, s init 1.3
residual e[o, a] = obs[o, a] - c[a] - s * x[o] loss cauchy(0.5)
"""


def written(model: symopt.Model, functions: Any = None, dtype: str = "float64") -> str:
    chosen = functions or OF_LOSS + (OF_CUT if model.cut else ())
    return generated_tests.test_source(model, STEM, chosen, {}, dtype)


def failed(text: str, module: Any) -> dict[str, str]:
    return {name: outcome for name, outcome in outcomes(text, module) if outcome}


@pytest.mark.parametrize(
    ("path", "functions"),
    [
        (ROOT / "examples/nist/misra1a.sym", ("value", "grad", "hess", "jac", "gauss_newton")),
        (ROOT / "examples/kalman/nile.sym", OF_LOSS),
        (GOOD / "robust_per_observation.sym", ("value", "gauss_newton", "gnvp")),
        (GOOD / "model_and_prior.sym", ("value_and_grad", "gauss_newton", "vjp", "Z")),
        (GOOD / "packed_symmetric.sym", ("grad", "hvp")),
        (GOOD / "bounds.sym", ("value", "grad", "hess")),
        (GOOD / "gather.sym", ("grad", "e", "near")),
        (GOOD / "random_starts.sym", ("value", "hvp")),
    ],
    ids=lambda part: part.stem if isinstance(part, Path) else "",
)
def test_right_functions_pass(path: Path, functions: tuple[str, ...]) -> None:
    model = symopt.load(path)
    known = [n for n in functions if n in (*OF_LOSS, *OF_CUT) or n in model.definitions]
    text = written(model, known)
    ran = dict(outcomes(text, StandIn(model)))
    assert not {name: outcome for name, outcome in ran.items() if outcome}
    assert len(ran) > 5 * len(known)


def test_single_precision_has_tolerances_of_its_own() -> None:
    model = symopt.parse(CURVE)
    functions = ("value", "grad", "hvp", "gauss_newton")
    text = written(model, functions, dtype="float32")
    assert not failed(text, StandIn(model, "float32", native=True))
    # Those of double precision would not do.
    assert failed(written(model, functions), StandIn(model, "float32", native=True))


def scaled(factor: float, part: int | None = None) -> Any:
    """A change of a result, or of one of its parts, by a factor."""
    if part is None:
        return lambda found: found * factor
    return lambda found: tuple(one * factor if k == part else one for k, one in enumerate(found))


def one_entry(found: np.ndarray) -> np.ndarray:
    changed = found.copy()
    changed[0, -1] *= 1 + 1e-6
    return changed


WRONG = {
    "value": scaled(1 + 1e-6),
    "grad": scaled(1 + 1e-6),
    "value_and_grad": scaled(1 + 1e-6, 1),
    "hvp": scaled(-1.0),
    "hess": one_entry,
    "residuals": scaled(1 + 1e-6),
    "jac": scaled(1 + 1e-6),
    "residuals_and_jac": scaled(-1.0, 1),
    "jvp": scaled(1 + 1e-6),
    "vjp": scaled(-1.0),
    "gauss_newton": scaled(1 + 1e-6, 0),
    "gnvp": scaled(0.5),
}


@pytest.fixture(scope="module")
def curve() -> tuple[symopt.Model, str]:
    model = symopt.parse(CURVE)
    return model, written(model)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_function_is_found(curve: tuple[symopt.Model, str], name: str) -> None:
    model, text = curve
    found = failed(text, StandIn(model, **{name: WRONG[name]}))
    assert {f"test_{name}[point {k}]" for k in ("1", "2", "1 anywhere")} <= found.keys()
    assert all(message.startswith("AssertionError") for message in found.values())


def test_a_wrong_curvature_of_a_robust_loss_is_found() -> None:
    model = symopt.parse(ROBUST)
    text = written(model, ("gauss_newton", "gnvp"))
    assert not failed(text, StandIn(model))
    found = failed(text, StandIn(model, gnvp=scaled(1 + 1e-6)))
    assert "test_gnvp[point 1]" in found


def test_calls_that_disturb_each_other_are_found(curve: tuple[symopt.Model, str]) -> None:
    model, text = curve
    calls = itertools.count()
    found = failed(text, StandIn(model, grad=lambda g: g * (1 + 1e-15 * (next(calls) % 7))))
    assert "test_a_repeated_call_gives_the_same_bits[point 1]" in found
    assert "test_two_threads_at_once_get_the_same_bits[point 1]" in found


def test_the_text_is_the_same_every_time_and_stands_alone(
    curve: tuple[symopt.Model, str],
) -> None:
    _, text = curve
    assert written(symopt.parse(CURVE)) == text
    assert "import symopt" not in text and "scipy" not in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "# line 4: residual r[i] = y[i] - a * exp(-b * x[i]) - c[0] - c[1] * x[i]" in text


def test_sizes_that_a_program_cannot_have_are_skipped_with_the_reason() -> None:
    text = written(symopt.load(GOOD / "second_order.sym"), ("value",))
    assert 'id="1 sample",\n        marks=pytest.mark.skip("index 1 of `f` leaves the axis' in text
    text = written(symopt.load(GOOD / "cases.sym"), ("value",))
    assert (
        'id="1 sample",\n        marks=pytest.mark.skip("two cases write d[0] for these sizes'
        in text
    )


def test_a_program_without_finite_data_says_so() -> None:
    model = symopt.parse("data x[n]\nparam a init 1\nminimize sum(log(-exp(a * x)))")
    text = written(model, ("value",))
    assert 'id="no data",\n        marks=pytest.mark.skip("no random data was found' in text


SHIM = """
import symopt
DataError = symopt.DataError
bind = symopt.parse({source!r}).bind
"""


def test_under_plain_pytest_with_native_functions(tmp_path: Path) -> None:
    text = written(symopt.parse(CURVE), ("value", "grad", "jac"))
    (tmp_path / f"test_{STEM}.py").write_text(text, encoding="utf-8")
    (tmp_path / f"{STEM}.py").write_text(SHIM.format(source=CURVE), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", str(tmp_path), "-v", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"test_{STEM}.py::test_grad[point 1] PASSED" in done.stdout
    assert " failed" not in done.stdout
