"""What `explain` says, against counts by hand and by enumeration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sympy

import symopt
from symopt.compiler import Request, lower
from symopt.diagnostics import DataError, DerivativeUnavailable
from symopt.explain import Sizes, operation_counts
from symopt.explain.counts import expression_operations
from symopt.explain.document import describe_explanation
from symopt.explain.formula import points
from symopt.loops.options import Options
from symopt.loops.program import Buffer, Collect, Fill, Kernel, Pass, Phase, Storage, Update
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import read_of
from symopt.types import Entry, Range, atom, constant, dim, index

EXAMPLES = Path(__file__).parents[1] / "examples"
N, M = dim("n"), dim("m")
SAMPLE = index("sample")
UNKNOWN = Sizes({})
EXPFIT = """\
data x[n], y[n]
param b1 init 0.1, b2 init 1.1, b3 init 0.95, b4 init 3.3, b5 init 1.7, b6 init 5.5
residual r[i] = b1 * exp(-b2 * x[i]) + b3 * exp(-b4 * x[i]) + b5 * exp(-b6 * x[i]) - y[i]
"""
LAYER = """\
data X[n, d], y[n]
param W[h, d] init 0.1, v[h] init 0.2
model z[i] = sum(v[k] * tanh(sum(W[k, j] * X[i, j] for j)) for k)
minimize sum(log(1 + exp(z[i])) - y[i] * z[i] for i)
"""


def counted(kernel):
    return {kind: str(count) for kind, count in operation_counts(kernel).total.kinds.items()}


# ── formulas ─────────────────────────────────────────────────────────────────────────────────


def off(place):
    return atom(Entry("off", (place,)))


NESTS = {
    "plain": (Range("i", constant(0), N), Range("j", constant(2), M)),
    "triangle": (Range("i", constant(0), N), Range("j", constant(0), index("i"))),
    "pyramid": (
        Range("i", constant(0), N),
        Range("j", constant(0), index("i")),
        Range("k", index("j"), index("i") + 1),
    ),
    "band": (Range("i", constant(0), N), Range("j", index("i"), index("i") + M)),
    "ragged": (
        Range("g", constant(0), M),
        Range("i", off(index("g")), off(index("g") + 1)),
        Range("j", constant(0), N),
    ),
    "triangles in ragged": (
        Range("g", constant(0), M),
        Range("i", off(index("g")), off(index("g") + 1)),
        Range("j", constant(0), index("i")),
        Range("k", constant(0), index("g")),
    ),
    "numbers that leave some ranges empty": (
        Range("i", constant(0), constant(6)),
        Range("j", constant(0), index("i") - 3),
    ),
    "empty": (Range("i", constant(7), constant(5)), Range("j", constant(0), N)),
}


def enumerated(loops, dims, arrays, at=None):
    """How many points a nest has, one by one."""
    at = at or {}
    if not loops:
        return 1

    def number(value):
        total = 0
        for monomial, coefficient in value.terms:
            for item in monomial:
                if isinstance(item, Entry):
                    coefficient *= arrays[item.tensor][number(item.indices[0])]
                else:
                    coefficient *= {**dims, **at}[item.name]
            total += coefficient
        return total

    loop, *rest = loops
    steps = range(number(loop.lower), number(loop.upper))
    return sum(enumerated(rest, dims, arrays, {**at, loop.index: step}) for step in steps)


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS.keys())
def test_formulas_count_the_points_of_a_nest(nest):
    dims, arrays = {"n": 7, "m": 4}, {"off": np.array([0, 2, 3, 3, 6])}
    # Exact but for the division by a number of points: relative error 1e-15.
    assert points(nest).at(dims, arrays) == pytest.approx(enumerated(nest, dims, arrays), rel=1e-12)


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS.keys())
def test_the_points_at_one_step_of_a_loop_are_their_mean(nest):
    dims, arrays = {"n": 7, "m": 4}, {"off": np.array([0, 2, 3, 3, 6])}
    outer, *inner = nest
    mean = enumerated(nest, dims, arrays) / max(enumerated([outer], dims, arrays), 1)
    found = points(inner, (outer,)).at(dims, arrays)
    if enumerated([outer], dims, arrays):
        assert found == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(
    ("nest", "text"),
    [("plain", "m n - 2 n"), ("triangle", "1/2 n^2 - 1/2 n"), ("band", "m n"), ("empty", "0")],
)
def test_formulas_are_polynomials_in_the_sizes(nest, text):
    assert str(points(NESTS[nest])) == text


def test_a_formula_is_no_number_where_a_size_is_unknown():
    assert points(NESTS["plain"]).at({"n": 7}, {}) is None


# ── counts of kernels built by hand ──────────────────────────────────────────────────────────


def kernel(nodes, *buffers):
    names = {buffer.name: buffer for buffer in buffers}
    return Kernel("f", nodes, names, (), ("n",))


def test_a_dot_product():
    x, y = read_of("x", (SAMPLE,)), read_of("y", (SAMPLE,))
    term = sympy.Mul(x.symbol, y.symbol)
    update = Update("s.lanes", (), (), "sum", term, (x, y), first=False)
    samples = Pass(Range("sample", constant(0), N), 8, None, (Phase((), (update,)),))
    nodes = (Fill("s", 0.0), Fill("s.lanes", 0.0), samples, Collect("s.lanes", "s"))
    buffers = (
        *(Buffer(name, (N,), Storage.GIVEN) for name in "xy"),
        Buffer("s", (), Storage.OUTPUT),
        Buffer("s.lanes", (), Storage.PARTIAL),
    )
    # A product and an addition for each sample, then the eight lanes.
    assert counted(kernel(nodes, *buffers)) == {"additions": "n + 8", "multiplications": "n"}


def test_sums_that_set_their_target_begin_with_their_first_term():
    i, j = index("i"), index("j")
    a, b = read_of("A", (i, j)), read_of("b", (j,))
    loops = (Range("i", constant(0), N), Range("j", constant(0), constant(10)))
    term = sympy.Mul(a.symbol, b.symbol)
    found = [
        counted(kernel((Update("y", (i,), loops, "sum", term, (a, b), first),)))
        for first in (True, False)
    ]
    assert found[0] == {"additions": "9 n", "multiplications": "10 n"}
    assert found[1] == {"additions": "10 n", "multiplications": "10 n"}


def test_additions_to_registers_that_were_filled_with_zero_are_none():
    x, t = read_of("x", (SAMPLE,)), read_of("t", (constant(1),))
    body = (
        Fill("t", 0.0),
        *(
            Update("t", (constant(k),), (), "sum", x.symbol, (x,), first=False)
            for k in (0, 1, 1)  # the last one does add
        ),
        Update("y", (SAMPLE,), (), "=", t.symbol, (t,), first=True),
    )
    samples = Pass(Range("sample", constant(0), N), 8, None, (Phase((), body),))
    buffers = (
        Buffer("x", (N,), Storage.GIVEN),
        Buffer("y", (N,), Storage.OUTPUT),
        Buffer("t", (constant(2),), Storage.LOCAL),
    )
    assert counted(kernel((samples,), *buffers)) == {"additions": "n"}


X, Y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize(
    ("expression", "kinds"),
    [
        (sympy.Add(X, Y, sympy.Integer(1)), {"additions": 2}),
        (sympy.Add(X, sympy.Mul(-1, Y)), {"additions": 1}),
        (sympy.Mul(sympy.Integer(2), X, Y), {"multiplications": 2}),
        (PRIMITIVES["integer_power"](X, sympy.Integer(5)), {"multiplications": 3}),
        (PRIMITIVES["integer_power"](X, sympy.Integer(-1)), {"divisions": 1}),
        (PRIMITIVES["divide"](X, PRIMITIVES["sqrt"](Y)), {"divisions": 1, "square roots": 1}),
        (
            PRIMITIVES["select"](PRIMITIVES["less"](X, Y), PRIMITIVES["abs"](X), Y),
            {"choices": 3},
        ),
        # Shared: one exponential, its square and a sum.
        (
            sympy.Add(
                PRIMITIVES["exp"](X), PRIMITIVES["integer_power"](PRIMITIVES["exp"](X), sympy.S(2))
            ),
            {"exp": 1, "multiplications": 1, "additions": 1},
        ),
        (PRIMITIVES["clip"](X, Y, X), {"choices": 2}),  # expanded into a max and a min
    ],
)
def test_operations_of_expressions(expression, kinds):
    found = expression_operations(expression).kinds
    assert {kind: count.value for kind, count in found.items()} == kinds


# ── programs ─────────────────────────────────────────────────────────────────────────────────


def test_an_exponential_fit_counts_as_by_hand():
    value, gradient, curvature = symopt.parse(EXPFIT).explain().functions
    # Each of three terms: -b2·x, its exponential, times b1; three additions, a square, one to sum.
    assert str(value.counts.total.total) == "14 n + 8"
    assert {k: str(n) for k, n in value.counts.passes[0].kinds.items()} == {
        "additions": "4 n",
        "multiplications": "7 n",
        "exp": "3 n",
    }
    (over_samples,) = curvature.passes
    (phase,) = over_samples.phases
    sums = phase.sums_in_registers + phase.sums_in_lots
    assert sums.value == 6 * 7 / 2 + 6  # a triangle and the gradient
    assert over_samples.lanes == 8
    assert over_samples.sample.kinds["exp"].value == 3
    assert gradient.times_value(UNKNOWN) < 4


def test_a_problem_is_explained_in_numbers(rng):
    n, d, h = 50, 3, 2
    data = {"X": rng.normal(size=(n, d)), "y": rng.normal(size=n)}
    explanation = symopt.parse(LAYER).bind(data, h=h).explain("value", "grad", "hvp")
    assert dict(explanation.fixed.sizes) == {"d": d, "h": h}
    value, gradient, product = explanation.functions
    # A sample: h·d products and h·(d - 1) sums, h tanh, h products and h - 1 sums for z; softplus
    # is exp, log1p and an addition; y·z, a difference, one to sum.
    by_hand = h * d + h * (d - 1) + h + h + (h - 1) + 3 + 3
    assert value.passes[0].sample.total.value == by_hand
    total = explanation.sizes.number(value.counts.total.total)
    assert total == by_hand * n + 8
    assert value.times_value(explanation.sizes) == 1
    assert 1 < gradient.times_value(explanation.sizes) < 4
    assert 1 < product.times_value(explanation.sizes) < 12


def test_without_data_a_model_is_explained_for_open_sizes():
    model = symopt.parse(LAYER)
    (open_sizes,) = model.explain("value").functions
    (known,) = model.explain("value", d=3, h=2).functions
    dims = {"n": 50, "d": 3, "h": 2}
    found = [f.counts.total.total.at(dims, {}) for f in (open_sizes, known)]
    assert set(open_sizes.open_sizes) == {"n", "d", "h"}
    assert known.open_sizes == ("n",)
    assert found[0] == pytest.approx(found[1], rel=0.2)  # constant parts of sums may differ
    assert open_sizes.times_value(UNKNOWN) == 1


@pytest.mark.parametrize(
    "path", ["logistic/logistic.sym", "nist/gauss3.sym", "mixture/iris.sym", "softmax/iris.sym"]
)
def test_facts_of_examples_agree_with_each_other(path):
    explanation = symopt.load(EXAMPLES / path).explain("value", "value_and_grad")
    value, gradient = explanation.functions
    dims = {"n": 100, "d": 4, "k": 3, "K": 3}
    for function in (value, gradient):
        counts = function.counts
        parts = [*(operations.total for operations in counts.passes), counts.once.total]
        together = sum(part.at(dims, {}) for part in parts)
        assert counts.total.total.at(dims, {}) == pytest.approx(together, rel=1e-12)
        for one, operations in zip(function.passes, counts.passes, strict=True):
            if one.loop == "sample in range(n)":
                of_all = 100 * one.sample.total.at(dims, {})
                assert operations.total.at(dims, {}) == pytest.approx(of_all, rel=1e-12)
        assert set(function.seconds) == {"derive", "schedule", "emit", "passes", "code", "link"}
    ratio = gradient.counts.total.total.at(dims, {}) / value.counts.total.total.at(dims, {})
    assert 1 < ratio < 4


def test_indices_are_where_they_run():
    (function,) = symopt.parse(LAYER).explain("value", d=3, h=100).functions
    places = {index.loop: set(index.places) for index in function.indices}
    assert places["i in range(n)"] == {"lanes"}
    assert next(iter(places)) == "i in range(n)"
    assert "written out" in places["j in range(3)"]
    assert "outside the blocks" in places["k in range(100)"]


def test_hoisted_parts_and_stable_forms_have_their_places():
    text = "data x[n]\nparam a[3] init 1\nf[i, k] = exp(a[k]) * x[i]\n"
    text += "minimize sum(log(1 + exp(f[i, k])) for i, k)\n"
    explanation = symopt.parse(text, "steps.sym").explain("value")
    (rewrite,) = explanation.rewrites
    assert (str(rewrite.span), rewrite.after) == ("steps.sym:4:14", "softplus(z)")
    (function,) = explanation.functions
    assert any(str(hoisted.span).startswith("steps.sym:3:") for hoisted in function.hoisted)
    text = str(explanation)
    assert "steps.sym:4:14: softplus(z) for log(1 + exp(z))" in text
    assert "hoisted" in text


def test_ragged_sums_count_by_their_mean_length():
    text = "data off[m+1] in n+1, v[n]\nparam a init 1\n"
    text += "q[g] = sum(a * v[i]^2 for i in range(off[g], off[g+1]))\nminimize sum(q[g]^2 for g)\n"
    problem = symopt.parse(text).bind(off=[0, 2, 2, 5], v=np.ones(5))
    explanation = problem.explain("value")
    (function,) = explanation.functions
    found = {k: explanation.sizes.number(n) for k, n in function.counts.total.kinds.items()}
    # Of five entries a square and a product, added up in three groups, then three squares.
    assert found == {"multiplications": 13, "additions": 2 + 2}


PROGRAMS = sorted((Path(__file__).parent / "programs" / "good").glob("*.sym"))
# A tanh of three operations: its slope, accurate also where it saturates, is more than its value.
TINY_STEPS = {"layers_and_steps": 4.6}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_gradient_costs_at_most_four_values(path):
    model = symopt.load(path)
    requests = [Request(name, None, model.fixed_by({}, {})) for name in ("value", "value_and_grad")]
    kernels = [lower(model.stages, request, Options()).kernel for request in requests]
    value, gradient = (operation_counts(kernel).total.total for kernel in kernels)
    sizes = Sizes(dict.fromkeys(model.dims, 5))
    counts = sizes.number(value), sizes.number(gradient)
    if None in counts:
        assert "range(off[" in model.source  # as long as data say
        counts = 1.0, gradient.over(value)
    assert counts[0] <= counts[1] <= TINY_STEPS.get(path.stem, 4) * counts[0]


@pytest.mark.parametrize(
    ("name", "error"),
    [("grad ", DataError), ("nothing", DataError), ("jac", DerivativeUnavailable)],
)
def test_what_there_is_not_is_refused(name, error):
    with pytest.raises(error) as caught:
        symopt.parse("param a init 1\nminimize a^2").explain(name)
    assert caught.value.diagnostics[0].help


def test_unknown_dims_are_refused():
    with pytest.raises(DataError, match="no dim `p`"):
        symopt.parse(LAYER).explain(p=3)


def test_the_document_is_plain_json(rng):
    problem = symopt.parse(EXPFIT).bind(x=rng.normal(size=20), y=rng.normal(size=20))
    document = json.loads(json.dumps(describe_explanation(problem.explain("value"))))
    (function,) = document["functions"]
    assert function["operations"]["formula"] == "14 n + 8"
    assert function["operations"]["number"] == 14 * 20 + 8
    assert function["passes"][0]["lanes"] == 8
    assert sum(phase["updates"] for phase in function["passes"][0]["phases"]) > 0
