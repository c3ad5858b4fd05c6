"""Reverse mode: the statements it adds, where it starts, and where it stops."""

from __future__ import annotations

import numpy as np

from symopt.derive.reverse import adjoint
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.evaluate import evaluate
from symopt.statements.printer import print_statement
from symopt.statements.program import Program, Role
from symopt.statements.verify import verify
from symopt.types import Entry, atom, index
from tests.support.hand_built import assign, loop, program, read, same, tensor

I, J = loop("i", "n"), loop("j", "d")  # noqa: E741 (as in the mathematics)
X, W = tensor("x", "n", "d", role=Role.DATA), tensor("w", "d", role=Role.PARAM)
EXP, LOG = PRIMITIVES["exp"], PRIMITIVES["log"]
Z = assign(read("z", "i"), (I, J), "sum", lambda x, w: x * w, read("x", "i", "j"), read("w", "j"))
E = assign(read("e", "i"), (I,), "=", EXP, read("z", "i"))
S = assign(read("s"), (I,), "sum", same, read("e", "i"))


def linear() -> Program:
    return program(X, W, tensor("z", "n"), tensor("e", "n"), tensor("s"), Z, E, S)


def added(before: Program, after: Program) -> list[str]:
    verify(after)
    assert after.statements[: len(before.statements)] == before.statements
    return [print_statement(s) for s in after.statements[len(before.statements) :]]


def test_adjoint_statements_run_backwards() -> None:
    assert added(linear(), adjoint(linear(), {"s": None}, ["w"])) == [
        "e.bar[i] sum= 1 for i in range(n)",
        "z.bar[i] sum= smul(e.bar[i], e[i]) for i in range(n)",
        "w.bar[j] sum= x[i, j]*z.bar[i] for i in range(n), j in range(d)",
    ]


def test_a_seed_weights_a_tensor() -> None:
    seeded = linear().extended((), {"u": tensor("u", "n", role=Role.SEED)})
    assert added(seeded, adjoint(seeded, {"z": "u"}, ["w"])) == [
        "z.bar[a0] sum= u[a0] for a0 in range(n)",
        "w.bar[j] sum= x[i, j]*z.bar[i] for i in range(n), j in range(d)",
    ]


def test_it_stops_at_the_cut() -> None:
    back = adjoint(linear(), {"s": None}, ["w"], stop=["z"])
    assert added(linear(), back) == [
        "e.bar[i] sum= 1 for i in range(n)",
        "z.bar[i] sum= smul(e.bar[i], e[i]) for i in range(n)",
    ]
    assert "w.bar" not in back.tensors


def test_data_has_no_adjoint_unless_it_is_asked_for() -> None:
    assert "x.bar" not in adjoint(linear(), {"s": None}, ["w"]).tensors
    by_data = verify(adjoint(linear(), {"s": None}, ["x"]))
    assert "w.bar" not in by_data.tensors
    x, w = np.array([[0.1, 0.2], [0.3, -0.4]]), np.array([0.5, -0.6])
    found = evaluate(by_data, {"n": 2, "d": 2}, {"x": x, "w": w}).tensors["x.bar"]
    np.testing.assert_allclose(found, np.exp(x @ w)[:, None] * w, rtol=1e-15)


def test_seeds_of_several_targets_add_up() -> None:
    seeded = linear().extended((), {name: tensor(name, "n", role=Role.SEED) for name in ("u", "v")})
    back = verify(adjoint(seeded, {"z": "u", "e": "v"}, ["w"]))
    rng = np.random.default_rng(0)
    x, w, u, v = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=3), rng.normal(size=3)
    given = {"x": x, "w": w, "u": u, "v": v}
    found = evaluate(back, {"n": 3, "d": 2}, given).tensors["w.bar"]
    np.testing.assert_allclose(found, x.T @ (u + v * np.exp(x @ w)), rtol=1e-14)


def test_a_gather_comes_back_as_a_scatter() -> None:
    cam = tensor("cam", "m", role=Role.INDICES)
    entry = atom(Entry("cam", (index("k"),)))
    k = loop("k", "m")
    take = assign(read("s"), (k,), "sum", lambda w: w * w, read("w", entry))
    whole = program(cam, W, tensor("s"), take)
    back = adjoint(whole, {"s": None}, ["w"])
    assert added(whole, back) == ["w.bar[cam[k]] sum= w[cam[k]]*2.0 for k in range(m)"]
    given = {"cam": np.array([1, 1, 0]), "w": np.array([3.0, 5.0, 7.0])}
    assert evaluate(back, {"m": 3, "d": 3}, given).tensors["w.bar"].tolist() == [6.0, 20.0, 0.0]


def test_two_reads_of_one_tensor_both_send_back() -> None:
    step = assign(
        read("s"),
        (loop("i", index("n") * 0 + 2),),
        "sum",
        lambda a, b: a * b,
        read("w", index("i") + 1),
        read("w", "i"),
    )
    whole = program(W, tensor("s"), step)
    back = verify(adjoint(whole, {"s": None}, ["w"]))
    found = evaluate(back, {"d": 3}, {"w": np.array([2.0, 3.0, 5.0])}).tensors["w.bar"]
    assert found.tolist() == [3.0, 7.0, 3.0]


def test_wild_values_are_multiplied_strongly() -> None:
    """The slope of log can be infinite; that of exp cannot while the value itself is finite."""
    log = assign(read("e", "i"), (I,), "=", LOG, read("z", "i"))
    whole = program(X, W, tensor("z", "n"), tensor("e", "n"), tensor("s"), Z, log, S)
    text = added(whole, adjoint(whole, {"s": None}, ["w"]))
    assert text[1] == "z.bar[i] sum= smul(e.bar[i], 1.0 / z[i]) for i in range(n)"


def test_nothing_leads_from_a_parameter_to_a_target_without_derivative() -> None:
    step = assign(read("e", "i"), (I,), "=", PRIMITIVES["floor"], read("z", "i"))
    whole = program(X, W, tensor("z", "n"), tensor("e", "n"), tensor("s"), Z, step, S)
    back = adjoint(whole, {"s": None}, ["w"])
    assert "w.bar" not in back.tensors
    assert "z.bar" not in back.tensors
