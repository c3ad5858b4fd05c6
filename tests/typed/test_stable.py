"""Stable forms: right at both ends where the form as written over- or underflows."""

import mpmath
import numpy as np
import pytest

import symopt
from symopt.typed.program import Rewrite

mpmath.mp.dps = 60

# What is written of a parameter z, what it means, the rule expected, and where it is tried. At
# these points the form as written is inf, nan, or has lost digits.
ONE_NUMBER = [
    ("log(1 + z)", lambda z: mpmath.log1p(z), "log1p(u)", (1e-17, -1e-12, 1e15)),
    ("log(z + 1)", lambda z: mpmath.log1p(z), "log1p(u)", (1e-17, 3.0)),
    ("log(1 + exp(z))", lambda z: mpmath.log1p(mpmath.exp(z)), "softplus(z)", (-60, 0.5, 1e4)),
    ("log1p(exp(z))", lambda z: mpmath.log1p(mpmath.exp(z)), "softplus(z)", (-60, 0.5, 1e4)),
    ("log(1 + exp(-2 * z))", lambda z: mpmath.log1p(mpmath.exp(-2 * z)), "softplus(z)", (-1e4, 30)),
    ("log(exp(z))", lambda z: z, "z", (-1e4, 1e4)),
    ("exp(z) - 1", lambda z: mpmath.expm1(z), "expm1(z)", (1e-17, -1e-9, -50, 30)),
    ("-1 + exp(z)", lambda z: mpmath.expm1(z), "expm1(z)", (1e-17,)),
    ("3 * (1 - exp(-z))", lambda z: -3 * mpmath.expm1(-z), "-expm1(z)", (1e-17, 40)),
    ("1 - sigmoid(z)", lambda z: 1 / (1 + mpmath.exp(z)), "sigmoid(-z)", (40, 700, -3)),
    ("sigmoid(z) - 1", lambda z: -1 / (1 + mpmath.exp(z)), "-sigmoid(-z)", (40, -3)),
    ("log(sigmoid(z))", lambda z: -mpmath.log1p(mpmath.exp(-z)), "log_sigmoid(z)", (-1e4, 60)),
    ("log(1 - sigmoid(z))", lambda z: -mpmath.log1p(mpmath.exp(z)), "log_sigmoid(z)", (1e4, -60)),
    ("1 - erf(z)", lambda z: mpmath.erfc(z), "erfc(z)", (8, 20)),
    ("1 - erfc(z)", lambda z: mpmath.erf(z), "erf(z)", (1e-20,)),
    ("1 - cos(z)", lambda z: 2 * mpmath.sin(z / 2) ** 2, "2*sin(z/2)^2", (1e-9, 2.0)),
    ("2 / (1 + exp(z))", lambda z: 2 / (1 + mpmath.exp(z)), "u * sigmoid(-z)", (1e4, 700, -1e4)),
    ("exp(z) / (1 + exp(z))", lambda z: 1 / (1 + mpmath.exp(-z)), "sigmoid(z)", (1e4, -700)),
]


@pytest.mark.parametrize(
    ("text", "meaning", "after", "points"), ONE_NUMBER, ids=[case[0] for case in ONE_NUMBER]
)
def test_one_number(text, meaning, after, points) -> None:
    model = symopt.parse(f"param z init 0\nminimize {text}\n")
    assert after in [rewrite.after for rewrite in model.stages.program.rewrites]
    problem = model.bind()
    for point in points:
        p = np.array([float(point)])
        value = meaning(mpmath.mpf(float(point)))
        # The slope by differences in 60 digits, far below the 15 that are compared.
        slope = mpmath.diff(meaning, mpmath.mpf(float(point)), h=mpmath.mpf(10) ** -30)
        # A few roundings of the argument; those of an exponent of size 1e4 weigh as much.
        assert problem.value(p) == pytest.approx(float(value), rel=2e-13, abs=1e-320)
        assert problem.grad(p)[0] == pytest.approx(float(slope), rel=2e-13, abs=1e-320)


def log_sum_exp(values):
    return mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(v)) for v in values))


VECTORS = ([1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -5000.0], [0.1, 0.2, 0.3])
MANY_NUMBERS = [
    ("log(sum(exp(v)))", log_sum_exp, "logsumexp(v)"),
    ("log(sum(exp(v[i]) for i))", log_sum_exp, "logsumexp(v)"),
    ("log(sum(exp(v[i]) for i if i > 0))", lambda v: log_sum_exp(v[1:]), "logsumexp(v)"),
    ("log(mean(exp(v)))", lambda v: log_sum_exp(v) - mpmath.log(3), "logsumexp(v)"),
    ("log(1 + sum(exp(v)))", lambda v: log_sum_exp([*v, 0.0]), "softplus(z)"),
    (
        "exp(v[1]) / sum(exp(v))",
        lambda v: mpmath.exp(v[1] - log_sum_exp(v)),
        "exp(z - logsumexp(v))",
    ),
    ("log(softmax(v))[2]", lambda v: v[2] - log_sum_exp(v), "z"),
]


@pytest.mark.parametrize(
    ("text", "meaning", "after"), MANY_NUMBERS, ids=[case[0] for case in MANY_NUMBERS]
)
@pytest.mark.parametrize("values", VECTORS, ids=("large", "small", "ordinary"))
def test_many_numbers(text, meaning, after, values) -> None:
    model = symopt.parse(f"param v[3] init 0\nminimize {text}\n")
    assert after in [rewrite.after for rewrite in model.stages.program.rewrites]
    problem = model.bind()
    # exp(x) has a relative error of |x| roundings: 1e3 of these here.
    expected = float(meaning([mpmath.mpf(v) for v in values]))
    assert problem.value(np.array(values)) == pytest.approx(expected, rel=1e-12, abs=1e-320)
    assert np.isfinite(problem.grad(np.array(values))).all()


def test_rewrites_are_listed_with_their_place() -> None:
    model = symopt.parse("param a init 1\ns = log(1 + exp(a))\nt = log(1 + a)\nminimize s + t\n")
    first, second = model.stages.program.rewrites
    assert (first.before, first.after, first.span.text) == (
        "log(1 + exp(z))",
        "softplus(z)",
        "log(1 + exp(a))",
    )
    assert second == Rewrite(second.span, "log(1 + u)", "log1p(u)")
    assert second.span.line == 3


@pytest.mark.parametrize(
    "text",
    [
        "log(2 + exp(z))",
        "sqrt(z^2 + z^2)",
        "log(1 + z - z^2)",
        "z - 1 + exp(z)",
        "z + exp(z) - 1",
        "1 - 2 * exp(z)",
        "log(sum(i * exp(z) for i in 3))",
        "z / (1 + z)",
    ],
)
def test_other_forms_stay_as_written(text: str) -> None:
    model = symopt.parse(f"param z init 1\nminimize {text}\n")
    assert model.stages.program.rewrites == ()


def test_a_definition_of_its_own_is_not_looked_into() -> None:
    """Rewrites are local to one definition: a named value is computed as it is written."""
    model = symopt.parse("param z init 1\nu = exp(z)\nminimize log(1 + u)\n")
    assert [rewrite.after for rewrite in model.stages.program.rewrites] == ["log1p(u)"]
