"""The functions of a loss, by the evaluator alone, against complex steps of its values."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import symopt
from symopt.derive.functions import FUNCTIONS, derive, evaluation, last_marked, unreached
from symopt.statements.evaluate import evaluate
from symopt.statements.verify import verify
from tests.support.oracle import Oracle, error
from tests.support.small_programs import PROGRAMS

EXACT = 1e-12  # first derivatives: a few roundings, relative to the greatest entry
SECOND = 1e-10  # second derivatives, against fourth-order differences
WITH_CUT = [
    name for name, small in PROGRAMS.items() if "residual" in small.text or "model" in small.text
]
everything = pytest.mark.parametrize("name", PROGRAMS)
marked = pytest.mark.parametrize("name", WITH_CUT)


@functools.cache
def _case(name: str) -> tuple[Oracle, np.ndarray, np.ndarray]:
    problem, p, v = PROGRAMS[name].bind(np.random.default_rng(len(name)))
    return Oracle(problem), p, v


def _function(name: str, function: str, *arguments: np.ndarray) -> np.ndarray:
    oracle, p, _ = _case(name)
    return oracle.function(derive(oracle.task, function), p, *arguments)


@everything
@pytest.mark.parametrize("function", FUNCTIONS)
def test_statements_stay_well_formed_and_keep_their_values(name: str, function: str) -> None:
    oracle, p, v = _case(name)
    try:
        whole = FUNCTIONS[function](oracle.task)
    except symopt.DerivativeUnavailable:
        assert function.startswith("fisher")  # of sums over samples, of known likelihoods
        return
    verify(whole)
    small = verify(derive(oracle.task, function))
    assert {s.target for s in small.statements} <= {s.target for s in whole.statements}
    before = oracle.run(oracle.task.program, oracle.parts(p)).tensors
    u = np.ones(oracle.rows.size)
    given = {**oracle.parts(p)}
    given |= {f"{key}.direction": part for key, part in oracle.parts(v).items()}
    given |= {f"{key}.weight": part for key, part in oracle.rows.arrays(u).items()}
    after = oracle.run(whole, given).tensors
    for tensor in before:
        assert np.array_equal(before[tensor], after[tensor], equal_nan=True), tensor
    kept = oracle.run(small, given).tensors
    for output in small.outputs:
        assert np.array_equal(kept[output], after[output], equal_nan=True), output


@everything
def test_value_and_gradient(name: str) -> None:
    oracle, p, _ = _case(name)
    gradient = oracle.gradient(p)
    assert _function(name, "value") == [np.real(oracle.value(p))]
    assert error(_function(name, "grad"), gradient) < EXACT
    both = _function(name, "value_and_grad")
    assert np.array_equal(both, [*_function(name, "value"), *_function(name, "grad")])


@everything
def test_second_derivatives(name: str) -> None:
    oracle, p, v = _case(name)
    hessian = oracle.hessian(p)
    assert error(_function(name, "hess").reshape(hessian.shape), hessian) < SECOND
    assert error(_function(name, "hvp", v), hessian @ v) < SECOND
    columns = [_function(name, "hvp", unit) for unit in np.eye(len(p))]
    assert error(_function(name, "hess").reshape(hessian.shape), np.array(columns).T) < EXACT


@marked
def test_jacobian_and_its_products(name: str, rng: np.random.Generator) -> None:
    oracle, p, v = _case(name)
    jacobian = oracle.jacobian(p)
    u = rng.normal(size=len(jacobian))
    assert np.array_equal(_function(name, "residuals"), oracle.cut(p))
    assert error(_function(name, "jac").reshape(jacobian.shape), jacobian) < EXACT
    assert error(_function(name, "jvp", v), jacobian @ v) < EXACT
    assert error(_function(name, "vjp", np.zeros_like(p), u), jacobian.T @ u) < EXACT


@pytest.mark.parametrize("name", [name for name in WITH_CUT if name != "robust"])
def test_gauss_newton(name: str) -> None:
    oracle, p, v = _case(name)
    n = len(p)
    joined = _function(name, "gauss_newton")
    lower, gradient = joined[: n * n].reshape(n, n), joined[n * n :]
    assert np.array_equal(lower, np.tril(lower))
    curvature = lower + np.tril(lower, -1).T
    wanted = np.array([oracle.gauss_newton_product(p, unit) for unit in np.eye(n)])
    assert error(curvature, wanted) < SECOND
    assert error(_function(name, "gnvp", v), curvature @ v) < EXACT
    assert error(gradient, oracle.gradient(p)) < EXACT


def test_gauss_newton_of_residuals_is_twice_the_square_of_the_jacobian() -> None:
    for name in ("least_squares", "neighbours"):
        oracle, p, v = _case(name)
        jacobian = oracle.jacobian(p)
        assert error(_function(name, "gnvp", v), 2 * jacobian.T @ (jacobian @ v)) < EXACT


@everything
def test_every_definition_can_be_evaluated(name: str) -> None:
    oracle, p, _ = _case(name)
    before = oracle.run(oracle.task.program, oracle.parts(p)).tensors
    for definition in oracle.problem.model.definitions:
        program = verify(evaluation(oracle.task, definition))
        assert np.array_equal(
            oracle.function(program, p), np.ravel(before[definition]), equal_nan=True
        )


# ── the cut ──────────────────────────────────────────────────────────────────────────────────


def _cut(text: str) -> tuple[str, ...]:
    return symopt.parse(text).cut


def test_the_cut_is_the_last_mark_on_each_path() -> None:
    assert _case("marks_on_a_path")[0].task.cut == ("second",)
    assert _case("crossing_cuts")[0].task.cut == ("u", "v")


def test_a_mark_that_also_reaches_the_objective_directly_stays_in_the_cut() -> None:
    text = "param a\nmodel f = sin(a)\nmodel g = exp(f)\nminimize g^2 + f^3"
    problem = symopt.parse(text).bind()
    assert problem.model.cut == ("f", "g")
    a = 0.4
    f, g, change = np.sin(a), np.exp(np.sin(a)), np.cos(a)
    # l = g^2 + f^3 is diagonal in (f, g); both change with a.
    wanted = 6 * f * change**2 + 2 * (g * change) ** 2
    oracle = Oracle(problem)
    assert oracle.function(derive(oracle.task, "gnvp"), np.array([a]), np.ones(1)) == pytest.approx(
        wanted, rel=1e-14
    )


def test_marks_that_do_not_reach_the_objective_are_not_in_the_cut() -> None:
    assert _cut("param a\nmodel f = a\nmodel g = a^2\nminimize g") == ("g",)
    assert _cut("param a\nminimize a^2") == ()


def test_parameters_that_the_loss_reads_directly_have_identity_rows() -> None:
    """G of l(z, a, b) = z^2 b + a^3 with z = a b."""
    text = "param a, b\nmodel z = a * b\nminimize z^2 * b + a^3"
    oracle = Oracle(symopt.parse(text).bind())
    a, b = 0.7, -1.3
    z = a * b
    change = np.array([[b, a], [1, 0], [0, 1]])  # of (z, a, b) by (a, b)
    curvature = np.array([[2 * b, 0, 2 * z], [0, 6 * a, 0], [2 * z, 0, 0]])
    wanted = change.T @ curvature @ change
    found = oracle.function(derive(oracle.task, "gauss_newton"), np.array([a, b]))
    np.testing.assert_allclose(found[:4].reshape(2, 2), np.tril(wanted), rtol=1e-14)


def test_a_loss_linear_in_the_cut_has_no_curvature() -> None:
    oracle = Oracle(symopt.parse("param a\nmodel z = a^2\nminimize 3 * z").bind())
    assert oracle.function(derive(oracle.task, "gnvp"), np.ones(1), np.ones(1)) == [0.0]
    assert oracle.function(derive(oracle.task, "gauss_newton"), np.ones(1)).tolist() == [0.0, 6.0]


def test_last_marked_stops_at_marks() -> None:
    program = symopt.parse("param a\nf = a\ng = f\nminimize g").stages.task.program
    assert last_marked(program, ("f", "g"), "minimize") == ("g",)


# ── parameters without a derivative ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "param a, b\nminimize floor(a) + b^2",
        "param a, b\nk = sign(a)\nminimize k * b",
        "param a, b\nminimize b if a > 0 else b^2",
        "param a[3], b\nminimize sum(a[i] // 2 for i) * b",
        "param a, b\nc = a > 1 and not b > 3\nminimize c + b^2",
    ],
)
def test_parameters_read_only_through_piecewise_constants_are_unreached(text: str) -> None:
    model = symopt.parse(text)
    assert unreached(model.stages.task) == ("a",)
    problem = model.bind()
    for ask in (problem.grad, problem.hess, problem.value_and_grad):
        with pytest.raises(symopt.DerivativeUnavailable, match="`a` only through piecewise"):
            ask(np.ones(problem.n))
    with pytest.raises(symopt.DerivativeUnavailable):
        problem.hvp(np.ones(problem.n), np.ones(problem.n))


def test_parameters_not_used_at_all_have_derivative_zero() -> None:
    model = symopt.parse("param a, b\nreport c = floor(b)\nminimize a^2")
    assert unreached(model.stages.task) == ()
    assert model.bind().grad([3.0, 1.0]).tolist() == [6.0, 0.0]


def test_deriving_never_looks_at_sizes() -> None:
    """The statements are the same whatever data will be bound."""
    texts = {str(derive(_case("mixture")[0].task, name)) for name in ("hvp", "hvp")}
    assert len(texts) == 1
    task = _case("mixture")[0].task
    assert len(derive(task, "hvp").statements) < 60
    for dims in ({"n": 0, "d": 1, "K": 1}, {"n": 3, "d": 2, "K": 5}):
        shapes = {
            name: tuple(dims[str(size)] for size in task.program.tensors[name].shape)
            for name in ("x", *task.params)
        }
        given = {name: np.ones(shape) for name, shape in shapes.items()}
        found = evaluate(derive(task, "grad"), dims, given).tensors
        assert found["mu.bar"].shape == shapes["mu"]
        assert np.isfinite(found["mu.bar"]).all()
