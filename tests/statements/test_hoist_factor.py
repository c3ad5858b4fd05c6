"""What leaves the sums over samples, and what must not."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.primitives.operators import ZERO, divide, greater, select, smul
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.evaluate import evaluate
from symopt.statements.hoist import Hoisting
from symopt.statements.printer import print_statement
from symopt.statements.program import Program, Role
from symopt.statements.verify import verify
from tests.statements.test_hoist import derived, factored, lines, options_of, task_of
from tests.support.hand_built import assign, loop, place, program, read, tensor

N, K, D = loop("s", "n"), loop("k", "K"), loop("j", "d")
OPTIONS = Hoisting(frozenset({"n"}), filled=frozenset({"n"}))
GIVEN = (
    tensor("a", "K", role=Role.DATA),
    tensor("b", "n", "K", role=Role.DATA),
    tensor("c", "n", role=Role.DATA),
    tensor("T", "K"),
)


def text_of(found: Program) -> list[str]:
    return [print_statement(statement) for statement in found.statements]


def sum_of(build, *reads, outputs=("T",)) -> Program:
    statement = assign(read("T", "k"), (N, K), "sum", build, *reads)
    return verify(program(*GIVEN, statement, outputs=outputs))


def value(found: Program, n: int = 2, **given) -> np.ndarray:
    arrays = {name: np.asarray(array, float) for name, array in given.items()}
    arrays = {name: array for name, array in arrays.items() if name in found.tensors}
    return evaluate(found, {"n": n, "K": 2, "d": 2}, arrays).tensors["T"]


def test_a_factor_leaves() -> None:
    before = sum_of(lambda a, b: a * b, read("a", "k"), read("b", "s", "k"))
    assert text_of(factored(before, OPTIONS)) == [
        "T.sum[k] sum= b[s, k] for s in range(n), k in range(K)",
        "T[k] sum= T.sum[k]*a[k] for k in range(K)",
    ]


def test_a_factor_leaves_a_choice_and_a_strong_product() -> None:
    before = sum_of(
        lambda a, b, c: select(greater(c, ZERO), smul(a * b, divide(Constant(1.0), c)), ZERO),
        read("a", "k"), read("b", "s", "k"), read("c", "s"),
    )  # fmt: skip
    assert len(factored(before, OPTIONS).statements) == 1  # a choice of more than a product
    before = sum_of(
        lambda a, b, c: smul(a * b, divide(Constant(1.0), c)),
        read("a", "k"), read("b", "s", "k"), read("c", "s"),
    )  # fmt: skip
    after = factored(before, OPTIONS)
    assert text_of(after)[1] == "T[k] sum= smul(a[k], T.sum[k]) for k in range(K)"
    # 0 wins over the infinite sum, as it did over each infinite term.
    given = {"a": [0.0, 2.0], "b": np.ones((2, 2)), "c": [0.0, 1.0]}
    np.testing.assert_array_equal(value(after, **given), value(before, **given))


def test_what_may_be_infinite_leaves_only_as_what_a_zero_wins_over() -> None:
    log = PRIMITIVES["log"]
    reads = read("a", "k"), read("b", "s", "k")
    plain = sum_of(lambda a, b: log(a) * b, *reads)
    assert factored(plain, OPTIONS) == plain  # 0 samples: 0, not 0 * inf
    strong = sum_of(lambda a, b: smul(b, log(a)), *reads)
    after = factored(strong, OPTIONS)
    assert text_of(after)[1] == "T[k] sum= smul(T.sum[k], log(a[k])) for k in range(K)"
    for n in (0, 2):
        given = {"a": [0.0, 2.0], "b": np.array([[0.0, 1.0]] * n).reshape(n, 2)}
        np.testing.assert_array_equal(value(after, n, **given), value(strong, n, **given))


def test_a_contraction_is_done_after_the_sum() -> None:
    """Per sample d additions instead of d*d products; what only the core needs is summed, too."""
    q, b = read("Q", "i", "j"), read("B", "s", "i", "m")
    statement = assign(
        read("T", "j"),
        (N, loop("i", "d"), D, loop("m", "K")),
        "sum",
        lambda q, b: q * b,
        q,
        b,
    )
    tensors = (
        tensor("Q", "d", "d", role=Role.DATA),
        tensor("B", "n", "d", "K", role=Role.DATA),
        tensor("T", "d"),
    )
    after = factored(program(*tensors, statement, outputs=("T",)), OPTIONS)
    assert text_of(after) == [
        "T.sum[i] sum= B[s, i, m] for s in range(n), i in range(d), m in range(K)",
        "T[j] sum= Q[i, j]*T.sum[i] for i in range(d), j in range(d)",
    ]
    rng = np.random.default_rng(3)
    q, b = rng.normal(size=(2, 2)), rng.normal(size=(3, 2, 2))
    np.testing.assert_allclose(value(after, 3, Q=q, B=b), np.einsum("ij,sim->j", q, b), rtol=1e-12)


def test_a_chain_of_adjoints_is_joined_before_it_is_summed() -> None:
    """mu.bar[j] = -sum_s (Q' u_s)_j is -Q' (sum_s u_s)."""
    parts = (
        tensor("Q", "d", "d", role=Role.DATA),
        tensor("U", "n", "d", role=Role.DATA),
        tensor("D", "n", "d"),
        tensor("T", "d"),
        assign(read("D", "s", "j"), (N, loop("i", "d"), D), "sum", lambda q, u: q * u,
               read("Q", "i", "j"), read("U", "s", "i")),
        assign(read("D", "s", "j"), (N, D), "sum", lambda u: u, read("U", "s", "j")),
        assign(read("T", "j"), (N, D), "sum", lambda d: -d, read("D", "s", "j")),
    )  # fmt: skip
    after = factored(program(*parts, outputs=("T",)), OPTIONS)
    assert text_of(after) == [
        "T.sum[i] sum= U[s, i] for s in range(n), i in range(d)",
        "T[j] sum= -Q[i, j]*T.sum[i] for i in range(d), j in range(d)",
        "T[j] sum= -T.sum[j] for j in range(d)",
    ]
    kept = factored(program(*parts, outputs=("T", "D")), OPTIONS)
    assert "D" in {statement.target for statement in kept.statements}
    rng = np.random.default_rng(4)
    q, u = rng.normal(size=(2, 2)), rng.normal(size=(3, 2))
    wanted = -(u @ q + u).sum(axis=0)
    np.testing.assert_allclose(value(after, 3, Q=q, U=u), wanted, rtol=1e-14)


def test_what_is_the_same_for_all_samples_is_counted() -> None:
    before = sum_of(lambda a: a * a, read("a", "k"))
    after = factored(before, OPTIONS)
    assert text_of(after) == ["T[k] sum= #(n)*a[k]**2 for k in range(K)"]
    np.testing.assert_array_equal(value(after, 3, a=[2.0, -1.0]), [12, 3])


@pytest.mark.parametrize("reduction", ["prod", "logsumexp"])
def test_other_reductions_are_left_alone(reduction) -> None:
    reads = read("a", "k"), read("b", "s", "k")
    statement = assign(read("T", "k"), (N, K), reduction, lambda a, b: a * b, *reads)
    before = program(*GIVEN, statement, outputs=("T",))
    assert factored(before, OPTIONS) == before


def test_sums_over_other_loops_and_scatters_are_left_alone() -> None:
    reads = read("a", "k"), read("b", place("s"), "k")
    over_components = assign(read("S", "s"), (N, K), "sum", lambda a, b: a * b, *reads)
    before = program(*GIVEN, tensor("S", "n"), over_components, outputs=("S",))
    assert factored(before, OPTIONS) == before


def test_reads_that_may_be_outside_do_not_leave_loops_that_may_not_run() -> None:
    before = sum_of(lambda a, b: a * b, read("a", 0), read("b", "s", "k"))
    assert len(factored(before, OPTIONS).statements) == 2
    assert factored(before, Hoisting(frozenset({"n"}))) == before


def test_the_gradient_of_a_mixture_adds_up_d_numbers_for_a_mean() -> None:
    """Of mu, a sample needs no product with the factor Q of the precision."""
    task = task_of(
        """
        data X[n, d]
        param mu[K, d], Q[K, d, d]
        u[i, k, a] = sum(Q[k, a, b] * (X[i, b] - mu[k, b]) for b)
        minimize sum(logsumexp(-sumsq(u[i, k]) / 2 for k) for i)
        """
    )
    found = lines(derived(task, options_of(task), "grad"))
    (last,) = [line for line in found if line.startswith("mu.bar[")]
    assert "range(n)" not in last and "Q[k, a, b]" in last
    assert sum("Q[k, a, b]" in line and "range(n)" in line for line in found) == 1  # the value


def test_the_mean_and_a_constant_leave_the_gradient() -> None:
    task = task_of("data X[n, d], y[n]\nparam w[d]\nminimize mean((X @ w - y)^2)")
    found = lines(derived(task, options_of(task), "grad"))
    per_sample = [line for line in found if "range(n)" in line and "#(n)" in line]
    assert per_sample == []
