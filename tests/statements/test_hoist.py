"""What is hoisted, over which loops, and what must stay where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.derive.activity import finiteness_of, wild_tensors
from symopt.derive.functions import Task, derive
from symopt.derive.simplify import drop_dead
from symopt.statements.evaluate import evaluate
from symopt.statements.hoist import Hoisting, factor, hoist
from symopt.statements.printer import print_statement
from symopt.statements.program import Program
from symopt.statements.verify import verify


def task_of(text: str) -> Task:
    return symopt.parse(text).stages.task


def options_of(task: Task, samples: str = "n", **more: Any) -> Hoisting:
    """Hoisting over the samples, through all index arrays, with sizes known not to be 0."""
    arrays = frozenset(name for name, t in task.program.tensors.items() if t.below is not None)
    known = {"groups": arrays, "filled": frozenset({"n", "d", "K"}), "kept": frozenset(task.cut)}
    return Hoisting(frozenset({samples}), **{**known, **more})


def factored(program: Program, options: Hoisting) -> Program:
    wild = wild_tensors(program)
    return verify(factor(program, options, lambda s: finiteness_of(s, wild).finite)[0])


def derived(task: Task, options: Hoisting, name: str) -> Program:
    """A function as the compiler makes it: hoisted, derived, hoisted again, sums factored."""
    before = replace(task, program=verify(hoist(task.program, options)[0]))
    after = hoist(derive(before, name), replace(options, kept=frozenset()))[0]
    return verify(drop_dead(factored(verify(drop_dead(after)), options)))


def lines(program: Program, outputs: tuple[str, ...] = ()) -> list[str]:
    """The statements that the outputs need, as text."""
    wanted = drop_dead(replace(program, outputs=outputs)) if outputs else program
    return [print_statement(statement) for statement in wanted.statements]


def hoisted_lines(text: str, **more: Any) -> list[str]:
    task = task_of(text)
    program = verify(hoist(task.program, options_of(task, **more))[0])
    return lines(program, (task.objective or "",))


# ── over fewer loops ─────────────────────────────────────────────────────────────────────────


def test_a_part_without_data_is_computed_once() -> None:
    assert hoisted_lines("data x[n]\nparam a\nminimize sum(exp(a) * x[i] for i)") == [
        "minimize.part = exp(a)",
        "minimize sum= minimize.part*x[i] for i in range(n)",
    ]


def test_a_definition_is_computed_per_group_through_a_chain() -> None:
    found = hoisted_lines(
        """
        data cam[n] in c, x[n, 3]
        param w[c, 3]
        square[s] = sumsq(w[cam[s]])
        angle[s] = sqrt(1 + square[s])
        minimize sum(x[s, a] * sin(angle[s]) for s, a)
        """
    )
    cameras = "for cam.entry in range(c)"
    assert found == [
        f"square.per.cam[cam.entry] sum= w[cam.entry, k] ^ 2 {cameras}, k in range(3)",
        f"angle.per.cam[cam.entry] = sqrt(square.per.cam[cam.entry] + 1.0) {cameras}",
        f"minimize.part[cam.entry] = sin(angle.per.cam[cam.entry]) {cameras}",
        "minimize.part.here[s] = minimize.part[cam[s]] for s in range(n)",
        "minimize sum= minimize.part.here[s]*x[s, a] for s in range(n), a in range(3)",
    ]


def test_the_rotation_of_a_camera_is_computed_per_camera() -> None:
    """A rotation matrix written per observation, as bundle adjustment is usually written."""
    task = task_of(
        """
        data cam[n] in c, pt[n] in m, y[n, 3]
        param q[c, 4], X[m, 3]
        norm2[s] = sumsq(q[cam[s]])
        u[s, a] = q[cam[s], a] / sqrt(norm2[s]) for a in 4
        R[s, a, b] = (
            (2 * u[s, 0]^2 - 1 if a == b else 0) + 2 * u[s, 1 + a] * u[s, 1 + b]
        ) for a in 3, b in 3
        residual r[s, a] = sum(R[s, a, b] * X[pt[s], b] for b) - y[s, a]
        """
    )
    program, log = hoist(task.program, options_of(task))
    assert {"norm2.per.cam", "u.per.cam", "R.per.cam"} <= {found.tensor for found in log}
    by_name = {found.tensor: found for found in log}
    assert str(by_name["R.per.cam"]) == (
        "R.per.cam: cam.entry in range(c), a in range(3), b in range(3), "
        "not s in range(n), a in range(3), b in range(3)"
    )
    assert by_name["R.per.cam"].span is not None
    # The matrix is gathered once per sample, so that its adjoint is added to the camera's once.
    assert (
        "R[s, a, b] = R.per.cam[cam[s], a, b] for s in range(n), a in range(3), b in range(3)"
        in (lines(program))
    )
    gradient = derived(task, options_of(task), "grad")
    touching = [s for s in gradient.statements if s.target == "q.bar"]
    assert touching and all("n" not in loop.upper.dims for s in touching for loop in s.loops)


def test_a_mixture_computes_components_once_and_differences_once() -> None:
    found = hoisted_lines(
        """
        data X[n, d]
        dim K = 3
        param shift[K, d], q[K, d], l[K, d, d]
        mu[k, a] = X[n // K * k, a] + shift[k, a]
        u[i, k, a] = (
            exp(q[k, a]) * (X[i, a] - mu[k, a])
            + sum(l[k, a, b] * (X[i, b] - mu[k, b]) for b in range(a))
        )
        minimize sumsq(u) + 0.5 * sumsq(l) + sum(exp(2 * q[k, a]) for k, a)
        """
    )
    sample = "for i in range(n), k in range(K)"
    assert found[:5] == [
        "mu[k, a] = X[k*(n)//(K), a] + shift[k, a] for k in range(K), a in range(d)",
        # The triangle is widened: each difference is of one sample, component and axis.
        f"u.part[i, k, b] = X[i, b] - mu[k, b] {sample}, b in range(d)",
        f"u[i, k, a] sum= l[k, a, b]*u.part[i, k, b] {sample}, a in range(d), b in range(a)",
        "u.part2[k, a] = exp(q[k, a]) for k in range(K), a in range(d)",
        f"u[i, k, a] sum= u.part2[k, a]*u.part[i, k, a] {sample}, a in range(d)",
    ]
    assert not any(".part" in line for line in found[5:])  # the ridge and the prior


def test_quotients_by_what_samples_share_become_products() -> None:
    found = hoisted_lines("data x[n]\nparam a, b\nminimize sum((x[i] - a) * 2 / b for i)")
    assert found[0] == "minimize.part = 2.0 / b"
    assert "/" not in found[1]


def test_one_division_within_a_sample_serves_all_its_axes() -> None:
    found = hoisted_lines(
        "data x[n, 3]\nparam a\nminimize sum(x[i, j] / (a + x[i, 2]) for i in n, j in 2)"
    )
    assert found == [
        "minimize.part[i] = 1.0 / (a + x[i, 2]) for i in range(n)",
        "minimize sum= minimize.part[i]*x[i, j] for i in range(n), j in range(2)",
    ]


def test_equal_parts_of_several_definitions_are_computed_once() -> None:
    task = task_of(
        """
        data x[n], y[n]
        param a, b
        f[i] = exp(a * x[i]) * y[i]
        g[j] = b * exp(a * x[j])
        minimize sum(f[i] * g[i] for i)
        """
    )
    found = lines(verify(hoist(task.program, options_of(task))[0]))
    assert sum("exp" in line for line in found) == 1


def test_terms_that_samples_share_are_brought_together() -> None:
    found = hoisted_lines(
        "data x[n]\nparam a[K], b[K]\nminimize sum(exp(a[k] + x[i] + b[k]) for i, k)"
    )
    assert found[0] == "minimize.part[k] = a[k] + b[k] for k in range(K)"


def test_an_index_depending_on_another_is_hoisted_with_it() -> None:
    """The inner range is that of a group of its own: there is no smaller set of loops."""
    found = hoisted_lines(
        """
        data off[g + 1] in n + 1, x[n]
        param w[g]
        f[s] = sum(exp(w[s] * i) * x[i] for i in range(off[s], off[s + 1]))
        minimize sumsq(f)
        """,
        samples="g",
    )
    assert found[:-1] == [
        "f[s] sum= x[i]*exp(#(i)*w[s]) for s in range(g), i in range(off[s], off[s + 1])",
    ]


# ── what stays ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "data x[n]\nparam a\nminimize sum(a * x[i] for i)",
        "data x[n]\nparam a\nminimize sum(2 * a - x[i] for i)",
        "param w[d]\ndata x[n]\nminimize 0.5 * sumsq(w) + sum(w[0] * x[i] for i)",
    ],
    ids=["bare reads", "multiples", "ridge"],
)
def test_little_work_is_left_alone(text: str) -> None:
    task = task_of(text)
    program, log = hoist(task.program, options_of(task))
    assert (program, log) == (task.program, ())


def test_nothing_is_hoisted_over_more_groups_than_entries() -> None:
    text = "data word[n] in v, x[n]\nparam w[v]\nminimize sum(exp(w[word[i]]) * x[i] for i)"
    assert len(hoisted_lines(text)) == 3
    assert len(hoisted_lines(text, groups=frozenset())) == 1


def test_two_entries_of_one_sample_are_no_group() -> None:
    found = hoisted_lines(
        """
        data cam[n] in c, pt[n] in m
        param C[c], P[m]
        minimize sum(exp(C[cam[s]] * P[pt[s]]) for s)
        """
    )
    assert found == ["minimize sum= exp(C[cam[s]]*P[pt[s]]) for s in range(n)"]


def test_readers_of_the_cut_go_on_reading_it() -> None:
    task = task_of(
        """
        data cam[n] in c, y[n]
        param w[c]
        model z[s] = exp(w[cam[s]])
        minimize sum((z[s] - y[s])^2 for s)
        """
    )
    program, _ = hoist(task.program, options_of(task))
    found = lines(program)
    assert "z[s] = z.per.cam[cam[s]] for s in range(n)" in found
    assert any("z[s]" in line and "y[s]" in line for line in found)


def test_reads_that_may_be_outside_are_not_moved_out_of_loops_that_may_not_run() -> None:
    """With d = 0 there is no w[0]; without samples nobody reads it."""
    text = "data x[n]\nparam w[d]\nminimize sum(exp(w[0]) * x[i] for i)"
    assert len(hoisted_lines(text)) == 2
    assert len(hoisted_lines(text, filled=frozenset())) == 1


def test_an_entry_shifted_beyond_its_size_is_not_run_over_all_values() -> None:
    """The entries there are stay inside when 1 is added; the greatest there could be does not."""
    text = "data t[n] in m, x[n]\nparam w[m]\nminimize sum(exp(w[t[i] + 1]) * x[i] for i)"
    assert len(hoisted_lines(text)) == 1


# ── meaning ──────────────────────────────────────────────────────────────────────────────────


def run(program: Program, dims: dict[str, int], given: dict[str, Any]) -> dict[str, Any]:
    arrays = {name: np.asarray(array) for name, array in given.items() if name in program.tensors}
    return evaluate(program, dims, arrays).tensors


UNUSED = """
data cam[n] in c, x[n]
param w[c]
value[s] = log(w[cam[s]]) + sqrt(w[cam[s]])
minimize sum(value[s] * x[s] for s)
"""


@pytest.mark.parametrize("unused", [-1.0, 0.0, np.inf])
@pytest.mark.parametrize("name", ["grad", "hvp", "hess"])
def test_a_group_without_samples_may_be_anything(unused: float, name: str) -> None:
    """Its logarithm is nan or infinite, and nobody reads it; its derivatives are 0."""
    task = task_of(UNUSED)
    program = derived(task, options_of(task, filled=frozenset()), name)
    assert any(".per.cam" in line for line in lines(program))
    x, w = np.array([2.0, -3.0, 0.5]), np.array([4.0, unused, 0.25])
    found = run(
        program,
        {"n": 3, "c": 3},
        {"cam": [0, 2, 2], "x": x, "w": w, "w.direction": [1.0, 1.0, 1.0]},
    )
    slope = np.array([2.0 * (1 / 4 + 1 / 4), 0.0, -2.5 * (1 / 0.25 + 0.5 / 0.5)])
    bend = np.array([2.0 * (-1 / 16 - 1 / 32), 0.0, -2.5 * (-16 - 2.0)])
    wanted = {"grad": slope, "hvp": bend, "hess": np.diag(bend)}[name]
    np.testing.assert_allclose(found[program.outputs[0]], wanted, rtol=1e-15, atol=0)


def test_a_program_without_samples_has_the_value_of_empty_sums() -> None:
    task = task_of(UNUSED)
    program = derived(task, options_of(task, filled=frozenset()), "value_and_grad")
    found = run(program, {"n": 0, "c": 2}, {"cam": np.zeros(0, int), "x": [], "w": [-1.0, 0.0]})
    assert found["minimize"] == 0
    np.testing.assert_array_equal(found["w.bar"], [0, 0])


def test_extrema_keep_their_winners() -> None:
    task = task_of(
        """
        data cam[n] in c, x[n]
        param w[c, 3]
        top[s] = max(w[cam[s], j] for j)
        minimize sum(top[s] * x[s] for s)
        """
    )
    program = derived(task, options_of(task), "grad")
    assert any(line.startswith("top.per.cam[cam.entry] max=") for line in lines(program))
    w = np.array([[1.0, 5.0, 5.0], [7.0, 2.0, 7.0]])
    given = {"cam": [0, 1, 0], "x": [1.0, 2.0, 3.0], "w": w}
    found = run(program, {"n": 3, "c": 2}, given)
    np.testing.assert_array_equal(found["w.bar"], [[0, 4, 0], [2, 0, 0]])


def test_every_name_keeps_its_values() -> None:
    task = task_of(UNUSED)
    given = {"cam": [1, 0], "x": [1.0, 2.0], "w": [0.5, 3.0]}
    program, _ = hoist(task.program, options_of(task))
    wanted = run(task.program, {"n": 2, "c": 2}, given)
    found = run(program, {"n": 2, "c": 2}, given)
    np.testing.assert_allclose(found["value"], wanted["value"], rtol=1e-15)
    assert program.tensors["value"] == task.program.tensors["value"]


def test_the_same_text_gives_the_same_statements() -> None:
    task = task_of(UNUSED)
    first, second = (hoist(task.program, options_of(task)) for _ in range(2))
    assert first == second
