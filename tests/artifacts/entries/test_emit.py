"""The entries of compiled code, called as C calls them.

They give the bits of the just-in-time compiler, and a status for whatever is wrong.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.artifacts.build import default_functions
from symopt.artifacts.entries.status import Status
from symopt.problem import Problem
from tests.oracles.test_every_program import MAKERS
from tests.support.artifacts import Compiled, Record, compile_problem

# Seconds to compile each: `python -m tests.benchmarks.artifacts` looks at them.
SLOW = ("lstm", "convolution", "hand")
PROGRAMS = [name for name in MAKERS if not any(word in name for word in SLOW)]
ASKED = ("value", "grad", "hvp", "gauss_newton")  # what the bits are promised of


def results(problem: Problem, name: str, p: np.ndarray, v: np.ndarray) -> tuple[Any, ...]:
    """What symopt gives in Python."""
    found = problem.hvp(p, v) if name == "hvp" else getattr(problem, name)(p)
    return found if isinstance(found, tuple) else (found,)


def draws(problem: Problem, record: Record) -> list[np.ndarray]:
    """The random numbers of a start, as `problem.x0` has them."""
    rng = np.random.default_rng(0)
    found = [
        rng.standard_normal(shape) if draw.distribution == "normal" else rng.random(shape)
        for draw in problem.model.stages.program.draws
        for shape in [record.shape(draw.shape)]
    ]
    return [np.concatenate([one.ravel() for one in found])] if found else []


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_bits_as_in_python(name: str, tmp_path: Path) -> None:
    problem, p, _ = MAKERS[name]()
    offered = [one for one in ASKED if one in default_functions(problem.model)]
    if name.endswith("piecewise_in_part"):  # a parameter without a derivative
        offered = ["value"]
    compiled, record = compile_problem(problem, problem.model, tmp_path, [*offered, "hvp"][:4])
    v = np.random.default_rng(0).normal(size=problem.n)
    for function in offered:
        inputs = (p, v) if function == "hvp" else (p,)
        status, found = compiled.call(function, record, *inputs)
        assert status == Status.OK
        for ours, wanted in zip(found, results(problem, function, p, v), strict=True):
            np.testing.assert_array_equal(ours, wanted)
    _, (lower, upper) = compiled.call("bounds", record)
    np.testing.assert_array_equal(lower, problem.bounds[0])
    np.testing.assert_array_equal(upper, problem.bounds[1])
    _, (start,) = compiled.call("start", record, *draws(problem, record))
    # Python's evaluates the same formulas with libm, which may round the last digit otherwise.
    np.testing.assert_allclose(start, problem.x0, rtol=4e-16, atol=0)
    assert compiled.function("n", ctypes.c_int64)(record.address) == problem.n
    assert compiled.function("check")(record.address) == Status.OK


LOGISTIC = """
data X[n, d], label[n] in k, ridge = 0.5
dim k = 3
param W[k, d] init 0.1, b[k] init 0
model z[i, c] = sum(X[i, j] * W[c, j] for j) + b[c]
minimize mean(cross_entropy(z[i, :], label[i]) for i) + ridge * sumsq(W)
"""
MIXED = """
data x[n], at[m] in n, off[m+1] in n+1
data s[m] = 2
param a in (0, 4) init 1, L[m, m] as strict lower init 0.5, c[n] init normal(0, 1)
residual r[i] = a * x[i] - sin(c[i])
residual g[j] = s[j] * (c[at[j]] + sum(L[j, k] for k)) + sum(x[i] for i in range(off[j], off[j+1]))
"""


def bound(text: str, **data: Any) -> Problem:
    return symopt.parse(text).bind(**data)


def logistic_data(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    return {"X": rng.normal(size=(n, 4)), "label": rng.integers(0, 3, n)}


def mixed_data(n: int, m: int) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    off = np.sort(rng.integers(0, n + 1, m + 1))
    return {"x": rng.normal(size=n), "at": rng.integers(0, max(n, 1), m), "off": off}


@pytest.fixture(scope="module")
def logistic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Compiled, Problem]:
    problem = bound(LOGISTIC, **logistic_data(30))
    return compile_problem(problem, problem.model, tmp_path_factory.mktemp("logistic"))[0], problem


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """All sizes open."""
    problem = bound(LOGISTIC, **logistic_data(30))
    folder = tmp_path_factory.mktemp("opened")
    return compile_problem(problem, problem.model, folder, sizes={})[0]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    problem = bound(MIXED, **mixed_data(9, 3))
    return compile_problem(problem, problem.model, tmp_path_factory.mktemp("mixed"), sizes={})[0]


def agree(compiled: Compiled, problem: Problem, rtol: float) -> None:
    """Every function agrees with the problem's, at the start and off it."""
    arrays = problem._calls.kernels.bound.arrays
    record = compiled.data(problem.dims, arrays)
    rng = np.random.default_rng(1)
    p, v = problem.x0 + 0.1 * rng.normal(size=problem.n), rng.normal(size=problem.n)
    for entry in compiled.interface.functions:
        inputs = (p, v) if entry.name == "hvp" else (p,)
        status, found = compiled.call(entry.name, record, *inputs)
        assert status == Status.OK
        for ours, wanted in zip(found, results(problem, entry.name, p, v), strict=True):
            scale = np.abs(wanted).max(initial=1e-300) if np.size(wanted) else 1.0
            np.testing.assert_allclose(ours, wanted, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 17, 1000])
def test_any_number_of_samples(opened: Compiled, logistic: Any, n: int) -> None:
    problem = bound(LOGISTIC, **logistic_data(n))
    agree(opened, problem, 1e-13)  # sums in another order
    agree(logistic[0], problem, 0)


def test_no_samples_at_all(opened: Compiled) -> None:
    problem = bound(LOGISTIC, X=np.zeros((0, 4)), label=np.zeros(0, int))
    record = opened.data({"n": 0, "d": 4, "k": 3}, {"ridge": 0.5})
    assert record.words[3] == 0, "null stands for an array without elements"
    p = problem.x0
    status, (gradient,) = opened.call("grad", record, p)
    assert status == Status.OK
    np.testing.assert_array_equal(gradient, problem.grad(p))  # nan: a mean of nothing


@pytest.mark.parametrize(("n", "m"), [(9, 3), (1, 2), (8, 2), (17, 5), (4, 0)])
def test_gathers_ranges_and_packed_parameters(mixed: Compiled, n: int, m: int) -> None:
    agree(mixed, bound(MIXED, **mixed_data(n, m)), 1e-13)


def test_defaults(opened: Compiled, mixed: Compiled) -> None:
    """Null stands for a number; an array's default is computed on demand."""
    data = logistic_data(20)
    with_default = opened.data({"n": 20, "d": 4, "k": 3}, data)
    given = opened.data({"n": 20, "d": 4, "k": 3}, {**data, "ridge": 0.5})
    p = np.linspace(-1, 1, 15)
    assert opened.call("value", with_default, p)[1] == opened.call("value", given, p)[1]
    record = mixed.data({"n": 9, "m": 3}, mixed_data(9, 3))
    status, (found,) = mixed.call("default_s", record)
    assert status == Status.OK
    np.testing.assert_array_equal(found, [2.0, 2.0, 2.0])
    # Nothing else runs before it is given.
    assert mixed.call("value", record, np.ones(13))[0] == Status.NULL


# ── what is wrong ────────────────────────────────────────────────────────────────────────────────


def refused(compiled: Compiled, record: Record, status: Status, *inputs: np.ndarray) -> None:
    """Every function refuses the data with this status, and writes nothing."""
    for entry in compiled.interface.functions:
        given = inputs or (np.ones(15), np.ones(15))
        outputs = [np.full(400, 7.0) for _ in entry.outputs]
        work = np.full(1 << 16, 0xA5, np.uint8)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*given[: len(entry.inputs)], *outputs)]
        found = compiled.function(entry.name)(
            record.address, *pointers, ctypes.c_void_p(work.ctypes.data), ctypes.c_int64(len(work))
        )
        assert Status(found) == status
        assert all((one == 7.0).all() for one in outputs)


def test_sizes_that_cannot_be(opened: Compiled) -> None:
    data = logistic_data(20)
    negative = opened.data({"n": -20, "d": 4, "k": 3}, data)
    refused(opened, negative, Status.NEGATIVE)
    assert opened.function("check")(negative.address) == Status.NEGATIVE
    assert opened.function("n", ctypes.c_int64)(negative.address) == -Status.NEGATIVE
    assert opened.workspace("hess", negative) == -Status.NEGATIVE
    huge = opened.data({"n": 20, "d": 2**40, "k": 2**40}, data)
    refused(opened, huge, Status.TOO_LARGE)
    assert opened.workspace("grad", huge) == -Status.TOO_LARGE


def test_null(opened: Compiled) -> None:
    data = logistic_data(20)
    sizes = {"n": 20, "d": 4, "k": 3}
    refused(opened, opened.data(sizes, {**data, "X": None}), Status.NULL)
    good = opened.data(sizes, data)
    p, out, null = np.ones(15), np.full(15, 7.0), ctypes.c_void_p(None)
    grad, zero = opened.function("grad"), ctypes.c_int64(0)
    at = [ctypes.c_void_p(a.ctypes.data) for a in (p, out)]
    assert grad(null, *at, null, zero) == Status.NULL
    assert grad(good.address, null, at[1], null, zero) == Status.NULL
    assert grad(good.address, at[0], null, null, zero) == Status.NULL
    assert (out == 7.0).all()


@pytest.mark.parametrize("wrong", [3, -1, 2**62, -(2**62)])
def test_index_out_of_range(opened: Compiled, wrong: int) -> None:
    data = logistic_data(21)
    data["label"][20] = wrong
    record = opened.data({"n": 21, "d": 4, "k": 3}, data)
    refused(opened, record, Status.INDEX)
    assert opened.function("check")(record.address) == Status.INDEX


def test_what_is_checked_is_not_looked_at_again(opened: Compiled) -> None:
    data = logistic_data(20)
    sizes = {"n": 20, "d": 4, "k": 3}
    p = np.linspace(-1, 1, 15)
    first = opened.call("grad", opened.data(sizes, data), p)
    again = opened.call("grad", opened.data(sizes, data, checked=1), p)
    np.testing.assert_array_equal(first[1], again[1])
    data["label"][3] = 7
    claiming = opened.data(sizes, data, checked=1)
    assert opened.function("check")(claiming.address) == Status.INDEX


def test_places_that_only_data_can_tell(mixed: Compiled, tmp_path: Path) -> None:
    data = {**mixed_data(9, 3), "s": np.ones(3)}
    good = mixed.data({"n": 9, "m": 3}, data)
    assert mixed.function("check")(good.address) == Status.OK
    data["off"] = np.array([0, 5, 99, 9])
    record = mixed.data({"n": 9, "m": 3}, data)
    assert mixed.function("check")(record.address) == Status.INDEX


COMPUTED = "data x[n], k[n] in n\nparam a init 1\nminimize sum(a * x[k[i] + 1] for i)\n"
DIVIDED = "dim q\ndata x[n]\nparam a init 1\nminimize sum(a * x[i // q] for i in range(n))\n"
ENDS = """
data x[n]
param a init 1
d[0] = a
d[i] = x[i] for i in range(1, n-1)
d[n-1] = 2 * a
minimize sum(d)
"""
TREE = """
data parent[m] in m, x[m]
param a init 1
h[0] = a
h[t] = a * h[parent[t]] + x[t] for t in range(1, m)
minimize sumsq(h)
"""


@pytest.mark.parametrize(
    ("text", "good", "bad", "status"),
    [
        (COMPUTED, {"x": np.ones(4), "k": [0, 1, 2, 1]}, {"k": [0, 1, 3, 1]}, Status.INDEX),
        (DIVIDED, {"x": np.ones(4), "q": 2}, {"q": 0}, Status.DIVISOR),
        (TREE, {"x": np.ones(4), "parent": [0, 0, 1, 1]}, {"parent": [0, 0, 2, 1]}, Status.ORDER),
        (TREE, {"x": np.ones(4), "parent": [0, 0, 1, 1]}, {"m": 0}, Status.INDEX),
        (ENDS, {"x": np.ones(4)}, {"n": 1}, Status.CASES),
    ],
    ids=["computed place", "divisor", "order", "first of nothing", "cases"],
)
def test_other_checks(
    text: str, good: dict[str, Any], bad: dict[str, Any], status: Status, tmp_path: Path
) -> None:
    problem = bound(text, **good)
    compiled, record = compile_problem(problem, problem.model, tmp_path, ["value"], {})
    assert compiled.function("check")(record.address) == Status.OK
    found, (value,) = compiled.call("value", record, np.ones(1))
    assert found == Status.OK
    assert value == problem.value(np.ones(1))
    sizes = {**problem.dims, **{n: k for n, k in bad.items() if n in problem.dims}}
    wrong = compiled.data(sizes, {**good, **bad})
    assert compiled.function("check")(wrong.address) == status
    assert compiled.call("value", wrong, np.ones(1))[0] == status


SQUARES = "dim n\nparam x[n*n+3] init 1\nminimize sum(x[i*i]^2 for i in range(-3, n))\n"
DEFAULT = "data k[m] in n, x[n], s = x[k[0] + 2]\nparam a init 1\nminimize a * s\n"
START = "data k[m] in n, x[n]\nparam a init sum(x[k[i] + 1] for i)\nminimize a^2\n"


def test_a_product_of_indices_below_0_is_looked_at(tmp_path: Path) -> None:
    """i*i is greatest where i is least."""
    problem = bound(SQUARES, n=4)
    compiled, _ = compile_problem(problem, problem.model, tmp_path, ["grad"], {})
    status, (found,) = compiled.call("grad", compiled.data({"n": 4}, {}), np.ones(19))
    assert status == Status.OK
    np.testing.assert_array_equal(found, problem.grad(np.ones(19)))
    refused(compiled, compiled.data({"n": 0}, {}), Status.INDEX)


def test_starts_and_defaults_are_looked_at(tmp_path: Path) -> None:
    x = np.arange(4.0)
    problem = bound(DEFAULT, x=x, k=[1])
    compiled, _ = compile_problem(problem, problem.model, tmp_path, ["value"], {}, "first")
    sizes = {"m": 1, "n": 4}
    status, (found,) = compiled.call("default_s", compiled.data(sizes, {"x": x, "k": [1]}))
    assert (status, float(found)) == (Status.OK, 3.0)
    for wrong in (3, 10**9, -1):
        record = compiled.data(sizes, {"x": x, "k": [wrong]})
        status, (found,) = compiled.call("default_s", record)
        assert (status, float(found)) == (Status.INDEX, 7.0)
    problem = bound(START, x=x, k=[0, 2])
    compiled, record = compile_problem(problem, problem.model, tmp_path, ["value"], {}, "second")
    status, (found,) = compiled.call("start", record)
    assert (status, found.tolist()) == (Status.OK, [4.0])
    record = compiled.data({"m": 2, "n": 4}, {"x": x, "k": [0, 3]})
    status, (found,) = compiled.call("start", record)
    assert (status, found.tolist()) == (Status.INDEX, [7.0])


def test_counts_that_cannot_be(tmp_path: Path) -> None:
    text = "data x[n], y[k]\nparam a init 1\nresidual r[i, j] = a * x[i] * y[j]\n"
    problem = bound(text, x=np.ones(2), y=np.ones(3))
    compiled, record = compile_problem(problem, problem.model, tmp_path, ["value"], {})
    count = compiled.function("m", ctypes.c_int64)
    assert count(record.address) == 6
    huge = compiled.data({"n": 2**40, "k": 2**40}, {"x": np.ones(2), "y": np.ones(3)})
    assert count(huge.address) == -Status.TOO_LARGE


def test_names_that_only_differ_as_their_workspaces_do(tmp_path: Path) -> None:
    text = "data x[n]\nparam a init 1\nf = a\nf_workspace = 2 * a\nminimize f * f_workspace\n"
    problem = bound(text, x=np.ones(2))
    names = ["value", "f", "f_workspace"]
    compiled, record = compile_problem(problem, problem.model, tmp_path, names)
    symbols = {one.of: one.name for one in compiled.interface.functions}
    found = [compiled.call(symbols[name], record, np.ones(1))[1][0] for name in names[1:]]
    assert list(map(float, found)) == [1.0, 2.0]


def test_overlap(opened: Compiled) -> None:
    record = opened.data({"n": 20, "d": 4, "k": 3}, logistic_data(20))
    p = np.ones(15)
    before = record.arrays["X"].copy()
    for out in (p, p[3:], record.arrays["X"].reshape(-1)[5:]):
        found, _ = opened.call("grad", record, p, outputs=(out,))
        assert found == Status.OVERLAP
    assert (p == 1).all()
    np.testing.assert_array_equal(record.arrays["X"], before)
    needed = opened.workspace("hess", record)
    room = np.full(needed // 8 + 300, 7.0)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (p, room[20:], room)]
    hess = opened.function("hess")
    assert hess(record.address, *pointers, ctypes.c_int64(needed)) == Status.OVERLAP
    assert (room == 7.0).all()
    both = np.full(300, 7.0)
    found, _ = opened.call("gauss_newton", record, p, outputs=(both, both[100:]))
    assert found == Status.OVERLAP
    assert (both == 7.0).all()


def test_workspace(opened: Compiled) -> None:
    """Exactly what is asked for is enough, wherever it lies; less is refused."""
    record = opened.data({"n": 40, "d": 4, "k": 3}, logistic_data(40))
    p = np.ones(15)
    needed = opened.workspace("hess", record)
    assert needed > 0
    out, wanted = np.full((15, 15), 7.0), opened.call("hess", record, p)[1][0]
    for offset in (0, 1, 8, 40):
        room = np.full(needed + 200, 0xA5, np.uint8)
        at = [ctypes.c_void_p(a.ctypes.data) for a in (p, out, room[offset:])]
        hess = opened.function("hess")
        assert hess(record.address, *at, ctypes.c_int64(needed)) == Status.OK
        np.testing.assert_array_equal(out, wanted)
        assert (room[:offset] == 0xA5).all()
        assert (room[offset + needed :] == 0xA5).all()
        out[:] = 7.0
        assert hess(record.address, *at, ctypes.c_int64(needed - 1)) == Status.WORKSPACE
        null = ctypes.c_void_p(None)
        assert hess(record.address, *at[:2], null, ctypes.c_int64(needed)) == Status.WORKSPACE
        assert (out == 7.0).all()


def test_nonfinite_where_asked(opened: Compiled) -> None:
    data = logistic_data(20)
    sizes = {"n": 20, "d": 4, "k": 3}
    p = np.full(15, np.nan)
    assert opened.call("grad", opened.data(sizes, data), p)[0] == Status.OK
    for name in ("value", "grad", "hess", "gauss_newton", "residuals"):
        assert opened.call(name, opened.data(sizes, data, finite=1), p)[0] == Status.NONFINITE
        good = opened.data(sizes, data, finite=1)
        assert opened.call(name, good, np.ones(15))[0] == Status.OK


def test_arrays_anywhere(opened: Compiled) -> None:
    """Arrays need no more than the alignment of their elements."""

    def moved(array: Any) -> np.ndarray:
        array = np.asarray(array)
        room = np.zeros(array.nbytes + 72, np.uint8)
        start = (-room.ctypes.data) % 64 + 8
        found = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        found[...] = array
        return found

    data = logistic_data(33)
    plain = opened.data({"n": 33, "d": 4, "k": 3}, data)
    odd = opened.data({"n": 33, "d": 4, "k": 3}, {name: moved(a) for name, a in data.items()})
    p = np.linspace(-1, 1, 15)
    for name in ("value", "grad", "hess", "gauss_newton"):
        wanted = opened.call(name, plain, p)[1]
        found = opened.call(name, odd, moved(p))[1]
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_threads(opened: Compiled) -> None:
    record = opened.data({"n": 3000, "d": 4, "k": 3}, logistic_data(3000))
    points = [np.linspace(-1, 1, 15) * k for k in range(8)]
    wanted = [opened.call("hess", record, p)[1][0] for p in points]
    found: list[Any] = [None] * len(points)

    def work(first: int) -> None:
        for number in range(first, len(points), 2):
            found[number] = opened.call("hess", record, points[number])[1][0]

    threads = [threading.Thread(target=work, args=(first,)) for first in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, wanted)


def test_messages(opened: Compiled) -> None:
    message = opened.function("message", ctypes.c_char_p)
    assert message(Status.OK) == b"fine"
    assert message(Status.INDEX) == b"an index is out of range"
    assert message(12345) == b"an unknown status"
    assert len({message(int(status)) for status in Status}) == len(Status)


def test_definitions_and_products(tmp_path: Path) -> None:
    """What is not compiled by default."""
    problem = bound(LOGISTIC, **logistic_data(21))
    names = ["z", "jvp", "vjp", "gnvp", "residuals_and_jac", "fisher"]
    compiled, record = compile_problem(problem, problem.model, tmp_path, names)
    rng = np.random.default_rng(0)
    p, v, u = rng.normal(size=15), rng.normal(size=15), rng.normal(size=63)
    wanted = {
        "eval_z": ((p,), problem.eval("z", p)),
        "jvp": ((p, v), problem.jvp(p, v)),
        "vjp": ((p, u), problem.vjp(p, u)),
        "gnvp": ((p, v), problem.gnvp(p, v)),
        "fisher": ((p,), problem.fisher(p)),
    }
    for name, (inputs, value) in wanted.items():
        status, (found,) = compiled.call(name, record, *inputs)
        assert status == Status.OK
        np.testing.assert_array_equal(found, value)
    _, (residuals, jacobian) = compiled.call("residuals_and_jac", record, p)
    np.testing.assert_array_equal(residuals, problem.residuals(p))
    np.testing.assert_array_equal(jacobian.reshape(63, 15), problem.jac(p))


def test_single_precision(tmp_path: Path) -> None:
    data = logistic_data(21)
    problem = symopt.parse(LOGISTIC).bind(data, dtype="float32")
    compiled, record = compile_problem(problem, problem.model, tmp_path)
    p = np.linspace(-1, 1, 15, dtype=np.float32)
    for name in ("value", "grad", "value_and_grad", "hess", "residuals", "jac", "gauss_newton"):
        status, found = compiled.call(name, record, p)
        assert status == Status.OK
        for ours, wanted in zip(found, results(problem, name, p, p), strict=True):
            np.testing.assert_array_equal(ours.reshape(np.shape(wanted)), wanted)


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path: Path) -> Iterator[None]:
    yield
    for file in tmp_path.glob("*.so"):
        file.unlink()
