"""Stable forms: right at both ends where the form as written over- or underflows.

Value, slope and second derivative of compiled code are compared with mpmath, which differentiates
the plain meaning in many digits. Every form is written once in one line, and once with a line of
its own for each part.
"""
# ruff: noqa: E501 (the forms are rows of tables)

import functools

import mpmath
import numpy as np
import pytest

import symopt
from symopt.typed.program import Rewrite

mpmath.mp.dps = 60
EPSILON = float(np.finfo(float).eps)

EVERYWHERE = (-1e4, -800.0, -40.0, -3.0, -1e-3, -1e-9, -1e-17, 1e-17, 1e-9, 1e-3, 0.7, 3.0, 40.0, 800.0, 1e4)  # fmt: skip
NEGATIVE = tuple(z for z in EVERYWHERE if z < 0)
POSITIVE = tuple(z for z in EVERYWHERE if z > 0)
WHERE_FINITE = tuple(z for z in EVERYWHERE if abs(z) <= 40)
ANGLES = (1e-17, 1e-9, -1e-3, 0.7, 2.0, -3.0, 40.0)
NEAR_PI = (3.14159265358979, -3.14159, 3.0, 9.42477796076938)
WITHIN_ONE = (-1 + 1e-12, -0.9, -1e-9, 1e-17, 1e-3, 0.5, 1 - 1e-12)
HUGE_AND_TINY = (-1e300, -1e160, -3.0, -1e-160, 1e-300, 1e-9, 2.0, 1e170)

exp, log, log1p, expm1 = mpmath.exp, mpmath.log, mpmath.log1p, mpmath.expm1


def logistic(z):
    return 1 / (1 + exp(-z))


# What is written of a parameter z in one line; the same in several lines, the last of which is the
# objective; what it means; the rule expected; and where it is tried.
FORMS = [
    ("log(1 + z)", "u = z; log(1 + u)", log1p, "log1p(u)", (1e-17, -1e-12, 0.5, 1e15)),
    ("log(1 - z^2)", "u = z^2; log(1 - u)", lambda z: log1p(-z * z), "log1p(u)", (1e-9, 0.5)),
    ("log(1 + exp(z))", "e = exp(z); log(1 + e)", lambda z: log1p(exp(z)), "softplus(z)", EVERYWHERE),
    ("log1p(exp(z))", "e = exp(z); log1p(e)", lambda z: log1p(exp(z)), "softplus(z)", EVERYWHERE),
    ("log(exp(-2 * z) + 1)", "e = exp(-2 * z); s = e + 1; log(s)", lambda z: log1p(exp(-2 * z)), "softplus(z)", EVERYWHERE),
    ("log(2 + exp(z))", "e = exp(z); s = 2 + e; log(s)", lambda z: log(2 + exp(z)), "log_add_exp(a, b)", EVERYWHERE),
    ("log(exp(z) + exp(-z))", "a = exp(z); b = exp(-z); log(a + b)", lambda z: log(exp(z) + exp(-z)), "log_add_exp(a, b)", EVERYWHERE),
    ("log(1 + exp(z) + exp(2 * z))", "a = exp(z); s = 1 + a + exp(2 * z); log(s)", lambda z: log(1 + exp(z) + exp(2 * z)), "log_add_exp(a, b)", EVERYWHERE),
    ("log(exp(2 * z) - exp(z))", "a = exp(2 * z); b = exp(z); log(a - b)", lambda z: z + log(expm1(z)), "a + log1mexp(b - a)", (1e-9, 1e-3, 0.7, 40.0, 1e4)),
    ("log(exp(z))", "e = exp(z); log(e)", lambda z: z, "z", EVERYWHERE),
    ("log(3 * exp(z) * exp(z))", "e = exp(z); f = 3 * e * e; log(f)", lambda z: 2 * z + log(3), "a + b", EVERYWHERE),
    ("log(exp(z) * (2 + z^2))", "e = exp(z); f = e * (2 + z^2); log(f)", lambda z: z + log(2 + z * z), "z + log(u)", EVERYWHERE),
    ("log(exp(-z^2 / 2) / (3 + z^2))", "e = exp(-z^2 / 2); log(e / (3 + z^2))", lambda z: -z * z / 2 - log(3 + z * z), "z - log(u)", EVERYWHERE),
    ("log((3 + z^2) / exp(z))", "e = exp(z); log((3 + z^2) / e)", lambda z: log(3 + z * z) - z, "log(u) - z", EVERYWHERE),
    ("log(1 - exp(z))", "e = exp(z); q = 1 - e; log(q)", lambda z: log1p(-exp(z)), "log1mexp(z)", NEGATIVE),
    ("log1p(-exp(z))", "e = exp(z); log1p(-e)", lambda z: log1p(-exp(z)), "log1mexp(z)", NEGATIVE),
    ("log(exp(z) - 1)", "e = exp(z); q = e - 1; log(q)", lambda z: log(expm1(z)), "z + log1mexp(-z)", POSITIVE),
    ("log(sigmoid(z))", "p = sigmoid(z); log(p)", lambda z: -log1p(exp(-z)), "log_sigmoid(z)", EVERYWHERE),
    ("log(1 - sigmoid(z))", "p = sigmoid(z); q = 1 - p; log(q)", lambda z: -log1p(exp(z)), "log_sigmoid(z)", EVERYWHERE),
    ("log1p(-sigmoid(z))", "p = sigmoid(z); log1p(-p)", lambda z: -log1p(exp(z)), "log_sigmoid(-z)", EVERYWHERE),
    ("log(1 / (1 + exp(-z)))", "p = 1 / (1 + exp(-z)); log(p)", lambda z: -log1p(exp(-z)), "log_sigmoid(z)", EVERYWHERE),
    ("log(sigmoid(z)^3)", "p = sigmoid(z); log(p^3)", lambda z: -3 * log1p(exp(-z)), "n*z", EVERYWHERE),
    ("log(sigmoid(z)^0.3)", "p = sigmoid(z); log(p^0.3)", lambda z: mpmath.mpf(-0.3) * log1p(exp(-z)), "y*z", EVERYWHERE),
    ("log(sqrt(sigmoid(z)))", "p = sigmoid(z); log(sqrt(p))", lambda z: -log1p(exp(-z)) / 2, "y*z", EVERYWHERE),
    ("log(cosh(z))", "c = cosh(z); log(c)", lambda z: log(mpmath.cosh(z)), "log_cosh(z)", EVERYWHERE),
    ("log(1 - tanh(z)^2)", "t = tanh(z); q = 1 - t^2; log(q)", lambda z: -2 * log(mpmath.cosh(z)), "-2*log_cosh(z)", EVERYWHERE),
    ("log(z^4)", "q = z^4; log(q)", lambda z: 4 * log(abs(z)), "n*log(abs(u))", HUGE_AND_TINY),
    ("log(z^3)", "q = z^3; log(q)", lambda z: 3 * log(z), "n*log(u)", [z for z in HUGE_AND_TINY if z > 0]),
    ("log(sqrt(z))", "q = sqrt(z); log(q)", lambda z: log(z) / 2, "log(u)/2", (1 + 1e-15, 2.0, 1e-300, 1e300)),
    ("log(z + sqrt(z^2 + 1))", "q = sqrt(z^2 + 1); log(z + q)", mpmath.asinh, "asinh(x)", (-1e9, -3.0, -1e-9, 1e-17, 2.0, 1e200)),
    ("log(z + sqrt(z^2 - 1))", "q = sqrt(z^2 - 1); log(z + q)", mpmath.acosh, "acosh(x)", (1.0001, 3.0, 1e200)),
    ("log((1 + z) / (1 - z))", "a = 1 + z; b = 1 - z; log(a / b)", lambda z: 2 * mpmath.atanh(z), "2*atanh(x)", WITHIN_ONE),
    ("log(z / (1 - z))", "q = 1 - z; log(z / q)", lambda z: log(z / (1 - z)), "logit(p)", (1e-300, 1e-9, 0.3, 0.5 + 1e-12, 1 - 1e-12)),
    ("logit(sigmoid(z))", "p = sigmoid(z); logit(p)", lambda z: z, "z", EVERYWHERE),
    ("exp(z) - 1", "e = exp(z); e - 1", expm1, "expm1(z)", EVERYWHERE),
    ("-1 + exp(z)", "e = exp(z); -1 + e", expm1, "expm1(z)", EVERYWHERE),
    ("3 * (1 - exp(-z))", "e = exp(-z); 3 * (1 - e)", lambda z: -3 * expm1(-z), "-expm1(z)", EVERYWHERE),
    ("1 - sigmoid(z)", "p = sigmoid(z); 1 - p", lambda z: 1 / (1 + exp(z)), "sigmoid(-z)", EVERYWHERE),
    ("sigmoid(z) - 1", "p = sigmoid(z); p - 1", lambda z: -1 / (1 + exp(z)), "-sigmoid(-z)", EVERYWHERE),
    ("1 - tanh(z)", "t = tanh(z); 1 - t", lambda z: 2 / (1 + exp(2 * z)), "2*sigmoid(-2*z)", EVERYWHERE),
    ("1 + tanh(z)", "t = tanh(z); t + 1", lambda z: 2 / (1 + exp(-2 * z)), "2*sigmoid(2*z)", EVERYWHERE),
    ("1 - tanh(z)^2", "t = tanh(z); 1 - t^2", lambda z: mpmath.sech(z) ** 2, "sech(z)^2", EVERYWHERE),
    ("1 - erf(z)", "f = erf(z); 1 - f", mpmath.erfc, "erfc(z)", (-30.0, -1.0, 1e-9, 2.0, 8.0, 20.0)),
    ("1 + erf(z)", "f = erf(z); 1 + f", lambda z: mpmath.erfc(-z), "erfc(-z)", (30.0, -1.0, 1e-9, -8.0, -20.0)),
    ("1 - erfc(z)", "f = erfc(z); 1 - f", mpmath.erf, "erf(z)", (1e-20, -1e-9, 3.0)),
    ("1 - cos(z)", "c = cos(z); 1 - c", lambda z: 2 * mpmath.sin(z / 2) ** 2, "2*sin(z/2)^2", ANGLES),
    ("1 + cos(z)", "c = cos(z); c + 1", lambda z: 2 * mpmath.cos(z / 2) ** 2, "2*cos(z/2)^2", NEAR_PI),
    ("1 - cos(z)^2", "c = cos(z); 1 - c^2", lambda z: mpmath.sin(z) ** 2, "sin(z)^2", ANGLES),
    ("1 - sin(z)^2", "s = sin(z); 1 - s * s", lambda z: mpmath.cos(z) ** 2, "cos(z)^2", (1.5707963267, 0.1, -1.57)),
    ("cosh(z) - 1", "c = cosh(z); c - 1", lambda z: 2 * mpmath.sinh(z / 2) ** 2, "2*sinh(z/2)^2", WHERE_FINITE),
    ("cosh(z)^2 - 1", "c = cosh(z); c^2 - 1", lambda z: mpmath.sinh(z) ** 2, "sinh(z)^2", WHERE_FINITE),
    ("log(1 + exp(z)) - z", "s = softplus(z); s - z", lambda z: log1p(exp(-z)), "softplus(-z)", EVERYWHERE),
    ("z - softplus(z)", "s = softplus(z); z - s", lambda z: -log1p(exp(-z)), "log_sigmoid(z)", EVERYWHERE),
    ("2 / (1 + exp(z))", "e = exp(z); 2 / (1 + e)", lambda z: 2 / (1 + exp(z)), "u * sigmoid(-z)", EVERYWHERE),
    ("exp(z) / (1 + exp(z))", "e = exp(z); e / (1 + e)", logistic, "sigmoid(z)", EVERYWHERE),
    ("exp(-z) / (1 + exp(-z))^2", "e = exp(-z); e / (1 + e)^2", lambda z: logistic(z) * logistic(-z), "sigmoid(z) * sigmoid(-z)", EVERYWHERE),
    ("(exp(z) - exp(-z)) / (exp(z) + exp(-z))", "a = exp(z); b = exp(-z); (a - b) / (a + b)", mpmath.tanh, "tanh(x)", EVERYWHERE),
    ("(exp(2 * z) - 1) / (exp(2 * z) + 1)", "a = exp(2 * z); (a - 1) / (a + 1)", mpmath.tanh, "tanh(z/2)", EVERYWHERE),
    ("(1 - exp(-2 * z)) / (1 + exp(-2 * z))", "a = exp(-2 * z); (1 - a) / (1 + a)", mpmath.tanh, "-tanh(z/2)", EVERYWHERE),
    ("sin(z) / z", "s = sin(z); s / z", mpmath.sinc, "sinc(x)", ANGLES),
    ("(1 - cos(z)) / z^2", "c = 1 - cos(z); q = z^2; c / q", lambda z: mpmath.sinc(z / 2) ** 2 / 2, "sinc(x/2)^2 / 2", ANGLES),
    ("sqrt(z^2 + (z + 1)^2)", "a = 1 + z; sqrt(z^2 + a^2)", lambda z: mpmath.sqrt(z * z + (z + 1) ** 2), "hypot(x, y)", (-1e300, -1e160, -3.0, 1e-9, 2.0, 1e170)),
    ("sqrt(z^2 + (1e-200)^2)", "a = z; sqrt(a * a + (1e-200)^2)", lambda z: mpmath.sqrt(z * z + mpmath.mpf(1e-200) ** 2), "hypot(x, y)", (-2e-200, 1e-200, 3e-201)),
    ("sqrt(z^2)", "a = z; sqrt(a * a)", abs, "abs(x)", HUGE_AND_TINY),
]  # fmt: skip


def lines(text: str) -> str:
    """A program of lines between semicolons; the last is the objective."""
    *parts, last = text.split("; ")
    return "\n".join(["param z init 1", *parts, f"minimize {last}", ""])


def rules(model: symopt.Model) -> list[str]:
    return [rewrite.after for rewrite in model.stages.program.rewrites]


@functools.cache
def derivatives(meaning, point: float) -> list:
    """Value and derivatives up to the third, by differences in many digits."""
    z = mpmath.mpf(point)
    with mpmath.workdps(90):
        step = abs(z) * mpmath.mpf(10) ** -15
        return [mpmath.diff(meaning, z, n, h=step) if n else meaning(z) for n in range(4)]


@pytest.mark.parametrize("apart", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("form", FORMS, ids=[form[0] for form in FORMS])
def test_one_number(form, apart) -> None:
    inside, across, meaning, rule, points = form
    model = symopt.parse(lines(across if apart else inside))
    assert rule in rules(model)
    problem = model.bind()
    for point in points:
        z, p = mpmath.mpf(float(point)), np.array([float(point)])
        truth = derivatives(meaning, float(point))
        value, gradient = problem.value_and_grad(p)
        found = [value, gradient[0]]
        if not apart:  # the form is the same, so one of both will do
            found.append(problem.hess(p)[0, 0])
        for order, value in enumerate(found):
            exact = truth[order]
            if abs(exact) > 1e300:
                continue
            # Some roundings, and what a rounding of z (or of a double of it) changes.
            slack = 64 * EPSILON * abs(exact) + 16 * EPSILON * abs(z * truth[order + 1])
            if order and (abs(z) < 0.01 or rule == "hypot(x, y)"):
                # Derivatives that are 0 there are differences of larger terms.
                slack += 8 * EPSILON * abs(truth[order - 1]) / max(1, abs(z))
            assert abs(value - exact) <= slack + 1e-300, (point, order, value, exact)


def log_sum_exp(values):
    return log(mpmath.fsum(exp(mpmath.mpf(v)) for v in values))


def softmax(values, place):
    return exp(mpmath.mpf(values[place]) - log_sum_exp(values))


VECTORS = ([1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -5000.0], [0.1, 0.2, 0.3])
VECTOR_FORMS = [
    ("log(sum(exp(v)))", log_sum_exp, "logsumexp(v)"),
    ("log(sum(exp(v[i]) for i))", log_sum_exp, "logsumexp(v)"),
    ("s = sum(exp(v[i]) for i); log(s)", log_sum_exp, "logsumexp(v)"),
    ("e[i] = exp(v[i]); s = sum(e); log(s)", log_sum_exp, "logsumexp(v)"),
    ("e = exp(v); log(sum(e[2 - i] for i in 3))", log_sum_exp, "logsumexp(v)"),
    ("log(sum(exp(v[i]) for i if i > 0))", lambda v: log_sum_exp(v[1:]), "logsumexp(v)"),
    ("log(mean(exp(v)))", lambda v: log_sum_exp(v) - log(3), "a - b"),
    ("m = mean(exp(v)); log(m)", lambda v: log_sum_exp(v) - log(3), "a - b"),
    ("log(1 + sum(exp(v)))", lambda v: log_sum_exp([*v, 0.0]), "softplus(z)"),
    ("t = 1 + sum(exp(v)); log(t)", lambda v: log_sum_exp([*v, 0.0]), "softplus(z)"),
    ("exp(v[1]) / sum(exp(v))", lambda v: softmax(v, 1), "exp(z - logsumexp(v))"),
    ("s = sum(exp(v)); p[i] = exp(v[i]) / s; p[1]", lambda v: softmax(v, 1), "exp(z - logsumexp(v))"),
    ("s = sum(exp(v)); p[i] = exp(v[i]) / s; log(p[0])", lambda v: v[0] - log_sum_exp(v), "z"),
    ("p = softmax(v); log(p[2])", lambda v: v[2] - log_sum_exp(v), "z"),
    ("p = softmax(v); sum(log(p[i]) for i)", lambda v: sum(v) - 3 * log_sum_exp(v), "z"),
    ("log(softmax(v))[2]", lambda v: v[2] - log_sum_exp(v), "z"),
    ("log(prod(sigmoid(v)))", lambda v: -sum(log1p(exp(-mpmath.mpf(x))) for x in v), "sum(v)"),
    ("p = sigmoid(v); log(prod(p[i] for i if i > 0))", lambda v: -sum(log1p(exp(-mpmath.mpf(x))) for x in v[1:]), "sum(v)"),
    ("log(sum(0.2 * exp(v)))", lambda v: log_sum_exp(v) + log(mpmath.mpf(0.2)), "logsumexp(v)"),
    ("w = softmax(v); log(sum(w[i] * exp(v[i]) for i))", lambda v: log_sum_exp([2 * mpmath.mpf(x) for x in v]) - log_sum_exp(v), "logsumexp(v)"),
    ("log(exp(v[0]) if v[0] > v[1] else exp(v[1]))", lambda v: max(v[:2]), "a if c else b"),
    ("s = sum(exp(v)); v[1] * exp(v[0]) / s", lambda v: v[1] * softmax(v, 0), "u * exp(z - logsumexp(v))"),
]  # fmt: skip


@pytest.mark.parametrize("form", VECTOR_FORMS, ids=[form[0] for form in VECTOR_FORMS])
@pytest.mark.parametrize("values", VECTORS, ids=("large", "small", "ordinary"))
def test_many_numbers(form, values) -> None:
    text, meaning, rule = form
    model = symopt.parse(lines(text).replace("param z init 1", "param v[3] init 0"))
    assert rule in rules(model)
    problem = model.bind()
    p, exact = np.array(values), [mpmath.mpf(v) for v in values]

    def slope(place, of=meaning):
        return lambda x: mpmath.diff(
            lambda t: of([*x[:place], t, *x[place + 1 :]]), x[place], h=mpmath.mpf(10) ** -25
        )

    # exp(x) has a relative error of |x| roundings: 1e3 of these here.
    assert problem.value(p) == pytest.approx(float(meaning(exact)), rel=2e-13, abs=1e-320)
    gradient, hessian = problem.grad(p), problem.hess(p)
    for i in range(3):
        assert gradient[i] == pytest.approx(float(slope(i)(exact)), rel=1e-11, abs=1e-300)
        for j in range(3):
            second = float(slope(j, slope(i))(exact))
            assert hessian[i, j] == pytest.approx(second, rel=1e-9, abs=1e-11)


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


def test_rewrites_across_definitions_are_listed_with_both_places() -> None:
    model = symopt.parse("param z init 1\nd = 3 * z\ne = exp(z)\nminimize d + log(1 + e)\n")
    (rewrite,) = model.stages.program.rewrites
    assert (rewrite.span.text, rewrite.span.line) == ("log(1 + e)", 4)
    assert [(span.text, span.line) for span in rewrite.through] == [("e = exp(z)", 3)]
    assert "4:14: softplus(z) for log(1 + exp(z)), through 3:1" in str(model.explain("value"))


def test_only_what_was_needed_is_listed() -> None:
    model = symopt.parse("param z init 1\nu = z + 2\ne = exp(z)\nminimize u / (1 + e)\n")
    (rewrite,) = model.stages.program.rewrites
    assert [span.text for span in rewrite.through] == ["e = exp(z)"]


@pytest.mark.parametrize(
    "text",
    [
        "sqrt(z^2 + 1)",
        "log(1 / z)",
        "z - 1 + exp(z)",
        "z + exp(z) - 1",
        "1 - 2 * exp(z)",
        "log(sum(i * exp(z) for i in 3))",
        "log(3 + 2)",
        "z / (1 + z)",
        "z^2 - 1",
        "exp(z) / 2",
        "u = z^2; v = 1 + u; z * v",
        "s = z^2; sqrt(s)",
    ],
)
def test_other_forms_stay_as_written(text: str) -> None:
    assert rules(symopt.parse(lines(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "model e = exp(z); log(1 + e)",
        "e += exp(z); log(1 + e)",
        "e[i] = exp(z) for i in range(1, 3); log(2 * e[1] - 3)",
        "g[i, j] = exp(z * j) for i in 3 for j in range(i + 1); log(1 + g[2, 1])",
    ],
)
def test_definitions_that_are_not_looked_into(text: str) -> None:
    """Outputs of a model, sums over several lines, and arrays that are not full."""
    assert rules(symopt.parse(lines(text))) in ([], ["log1p(u)"])


def test_the_cut_stays_on_the_way_to_the_objective() -> None:
    model = symopt.parse(lines("model p = sigmoid(z); -log(p)"))
    g, _ = model.bind().gauss_newton(np.array([0.3]))
    p = 1 / (1 + np.exp(-0.3))
    # d²/dp² of -log(p) is 1/p², and dp/dz is p (1 - p).
    assert g[0, 0] == pytest.approx((1 - p) ** 2, rel=1e-13)


def test_indices_move_along() -> None:
    """e is read backwards, shifted, and over part of its range."""
    text = (
        "data x[n]\nparam a init 1\n"
        "e[i] = exp(a * x[i + 1]) for i in range(1, n - 1)\n"
        "minimize sum(log(1 + e[n - 1 - i]) for i in range(1, n - 1))\n"
    )
    model = symopt.parse(text)
    assert rules(model) == ["softplus(z)"]
    x = np.array([5.0, -7.0, 0.5, 900.0, -1000.0])
    expected = np.logaddexp(0.0, 0.9 * x[2:]).sum()
    assert model.bind(x=x).value(np.array([0.9])) == pytest.approx(expected, rel=1e-14)


def test_what_several_lines_need_is_computed_once() -> None:
    """Sums behind a name that is looked through get names of their own."""
    text = (
        "data X[n, d]\nparam w[d] init 0\n"
        "e[i] = exp(sum(X[i, j] * w[j] for j))\n"
        "s[i] = sum(exp(X[i, j] * w[j]) for j)\n"
        "minimize sum(log(1 + e[i]) + log(2 + e[i]) - e[i] / (1 + e[i]) for i)"
        " + sum(log(s[i]) * log(1 + s[i]) for i)\n"
    )
    program = symopt.parse(text).stages.program
    names = [d.name for d in program.definitions]
    assert [name for name in names if name.startswith("~")] == ["~e.part.1", "~s.log"]
    assert names.index("~e.part.1") < names.index("e")


def test_a_name_that_is_only_looked_through_is_not_computed() -> None:
    model = symopt.parse(lines("e = exp(z); log(1 + e)"))
    statements = model.compiled("value").statements.statements
    assert "e" not in {statement.target for statement in statements}
    assert model.bind().eval("e", np.array([0.5])) == pytest.approx(np.exp(0.5), rel=1e-15)
