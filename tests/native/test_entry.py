"""The entry from Python: every kind of argument, what is kept alive, threads, and the long way."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import MethodType
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.loops.program import Buffer, Kernel, Storage
from symopt.native import entry as entries
from symopt.native import function as functions
from symopt.native.function import NativeFunction
from symopt.native.jit import compile_ir
from symopt.types import constant

LINEAR = "data A[m, n], b[m]\nparam x[n] init 0\nresidual r = A @ x - b\n"
# Entries are small whole numbers, so every result is exact, in whichever order it is summed.
RNG = np.random.default_rng(4)
A = RNG.integers(-3, 4, (7, 5)).astype(float)
B = RNG.integers(-3, 4, 7).astype(float)
P, V, U = (RNG.integers(-3, 4, size).astype(float) for size in (5, 5, 7))
MODEL = symopt.parse(LINEAR)
HESSIAN = 2 * A.T @ A


def gradient(p: np.ndarray) -> np.ndarray:
    return 2 * A.T @ (A @ p - B)


# What each function returns at P, from the formulas of linear least squares.
EXPECTED: dict[str, tuple[tuple[np.ndarray, ...], Any]] = {
    "value": ((P,), np.sum((A @ P - B) ** 2)),
    "grad": ((P,), gradient(P)),
    "value_and_grad": ((P,), (np.sum((A @ P - B) ** 2), gradient(P))),
    "hvp": ((P, V), HESSIAN @ V),
    "hess": ((P,), HESSIAN),
    "residuals": ((P,), A @ P - B),
    "jac": ((P,), A),
    "jvp": ((P, V), A @ V),
    "vjp": ((P, U), U @ A),
    "gauss_newton": ((P,), (HESSIAN, gradient(P))),
    "gnvp": ((P, V), HESSIAN @ V),
}
VECTORS = [name for name, (_, result) in EXPECTED.items() if isinstance(result, np.ndarray)]
native = pytest.mark.skipif(
    sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="there is an entry for CPython with a GIL",
)


@pytest.fixture(params=["short", "long", "without entry"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Kernels that keep the GIL, kernels that give it up, and functions in Python."""
    if request.param == "long":
        monkeypatch.setattr(functions, "_FEW", -1)
    if request.param == "without entry":
        monkeypatch.setattr(functions, "entry", lambda single: None)
    return request.param


@pytest.fixture
def problem(way: str) -> symopt.Problem:
    return MODEL.bind(A=A, b=B)


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        assert type(found) is tuple
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    else:
        assert type(found) is (np.ndarray if np.ndim(expected) else float)
        np.testing.assert_array_equal(found, expected)


# ── results ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", EXPECTED)
def test_every_function(problem: symopt.Problem, name: str) -> None:
    arguments, expected = EXPECTED[name]
    for _ in range(3):  # the first call makes the function, in Python
        assert_equal(getattr(problem, name)(*arguments), expected)
    kept = getattr(problem, name)
    assert_equal(kept(*[list(argument) for argument in arguments]), expected)
    others = [argument + 1 for argument in arguments]
    before = kept(*arguments)
    kept(*others)
    assert_equal(before, expected)


@native
@pytest.mark.parametrize("name", EXPECTED)
def test_functions_are_built_in_after_the_first_call(
    problem: symopt.Problem, way: str, name: str
) -> None:
    getattr(problem, name)(*EXPECTED[name][0])
    assert inspect.isbuiltin(getattr(problem, name)) == (way != "without entry")


@pytest.mark.parametrize("name", VECTORS)
def test_out_is_filled_and_returned(problem: symopt.Problem, name: str) -> None:
    arguments, expected = EXPECTED[name]
    for _ in range(3):
        out = np.full(expected.shape, np.nan)
        assert getattr(problem, name)(*arguments, out=out) is out
        np.testing.assert_array_equal(out, expected)
    assert_equal(getattr(problem, name)(*arguments, out=None), expected)


def test_out_of_functions_with_two_results(problem: symopt.Problem) -> None:
    for _ in range(3):
        g, G = np.full(5, np.nan), np.full((5, 5), np.nan)
        value, found = problem.value_and_grad(P, out=g)
        assert found is g
        assert_equal((value, g), EXPECTED["value_and_grad"][1])
        g = np.full(5, np.nan)
        matrix, slope = problem.gauss_newton(P, out=(G, g))
        assert matrix is G
        assert slope is g
        assert_equal((G, g), EXPECTED["gauss_newton"][1])


def test_residuals_and_jacobian_in_one_pass(problem: symopt.Problem) -> None:
    for _ in range(3):
        r, J = np.full(7, np.nan), np.full((7, 5), np.nan)
        assert_equal(problem.residuals_and_jac(P), (A @ P - B, A))
        found = problem.residuals_and_jac(P, out=(r, J))
        assert found[0] is r
        assert found[1] is J
        assert_equal((r, J), (A @ P - B, A))
        sparse = problem.residuals_and_jac(P, sparse=True)
        r[:] = np.nan
        sparse[1].data[:] = np.nan
        again = problem.residuals_and_jac(P, sparse=True, out=(r, sparse[1]))
        assert again[1] is sparse[1]
        assert_equal((r, again[1].toarray()), (A @ P - B, A))


@native
def test_plain_arrays_go_the_quick_way(
    problem: symopt.Problem, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (arguments, _) in EXPECTED.items():
        getattr(problem, name)(*arguments)
        if name in ("jac", "jvp", "vjp"):
            getattr(problem, name)(*arguments, of="r")
    sparse = problem.jac_sparse(P)
    monkeypatch.setattr(NativeFunction, "run", lambda _: pytest.fail("the long way"))
    if way == "without entry":
        with pytest.raises(pytest.fail.Exception, match="the long way"):
            problem.value(P)
        return
    for name, (arguments, expected) in EXPECTED.items():
        assert_equal(getattr(problem, name)(*arguments), expected)
        if name in VECTORS:
            getattr(problem, name)(*arguments, out=np.zeros(expected.shape))
    problem.gauss_newton(P, out=(np.zeros((5, 5)), np.zeros(5)))
    problem.value_and_grad(P, out=np.zeros(5))
    problem.hvp(P, v=V)
    problem.jac(P, of="r", out=np.zeros((7, 5)))
    problem.vjp(P, U, of="r")
    problem.jac_sparse(P, out=sparse)


@pytest.mark.usefixtures("way")
def test_nothing_to_differentiate() -> None:
    problem = MODEL.bind(A=np.zeros((3, 0)), b=np.array([1.0, 2, 3]))
    p = np.zeros(0)
    for _ in range(2):
        assert problem.value(p) == 14
        assert problem.grad(p).shape == problem.grad(p, out=np.zeros(0)).shape == (0,)
        assert problem.jac(p).shape == (3, 0)
        assert [part.shape for part in problem.gauss_newton(p)] == [(0, 0), (0,)]
    nothing = MODEL.bind(A=np.zeros((0, 2)), b=np.zeros(0))
    for _ in range(2):
        assert nothing.residuals(np.ones(2)).shape == (0,)
        assert nothing.vjp(np.ones(2), np.zeros(0)).tolist() == [0, 0]


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


class Matrixlike(np.ndarray):
    """A subclass of arrays."""


def unaligned(values: np.ndarray) -> np.ndarray:
    """The values at an address that is not a multiple of 8."""
    room = np.zeros(values.nbytes + 1, np.uint8)[1:].view(np.float64)
    room[:] = values
    assert not room.flags.aligned
    return room


def read_only(values: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy.flags.writeable = False
    return copy


CONVERSIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": list,
    "tuple": tuple,
    "whole numbers": lambda p: p.astype(np.int64),
    "float32": lambda p: p.astype(np.float32),
    "other byte order": lambda p: p.astype(">f8"),
    "strided": lambda p: np.repeat(p, 2)[::2],
    "backwards": lambda p: p[::-1].copy()[::-1],
    "read-only": read_only,
    "unaligned": unaligned,
    "subclass": lambda p: p.view(Matrixlike),
    "own dtype object": lambda p: np.frombuffer(p.tobytes(), np.dtype(p.dtype, copy=True)),
}


@pytest.mark.parametrize("kind", CONVERSIONS)
def test_whatever_numpy_converts(problem: symopt.Problem, kind: str) -> None:
    convert = CONVERSIONS[kind]
    for _ in range(2):
        assert_equal(problem.grad(convert(P)), gradient(P))
        assert_equal(problem.vjp(P, convert(U)), U @ A)
        assert_equal(problem.hvp(convert(P), convert(V), out=np.zeros(5)), HESSIAN @ V)


@pytest.mark.parametrize("kind", ["strided", "backwards", "unaligned", "subclass"])
def test_out_of_any_layout(problem: symopt.Problem, kind: str) -> None:
    for _ in range(2):
        out = CONVERSIONS[kind](np.zeros(5))
        assert problem.grad(P, out=out) is out
        np.testing.assert_array_equal(out, gradient(P))
    by_columns = np.zeros((5, 5), order="F")
    assert problem.hess(P, out=by_columns) is by_columns
    np.testing.assert_array_equal(by_columns, HESSIAN)


@pytest.mark.parametrize(
    "out",
    [np.zeros(4), np.zeros((5, 1)), np.zeros(5, np.float32), read_only(P), [0.0] * 5, "out", 3],
    ids=str,
)
def test_an_unfit_out_is_refused(problem: symopt.Problem, out: Any) -> None:
    for ask in (problem.grad, problem.grad, problem.value_and_grad, problem.value_and_grad):
        with pytest.raises(symopt.DataError, match=r"out must be an array of float64 with shape"):
            ask(P, out=out)
    for pair in (out, (np.zeros((5, 5)), out), (out, np.zeros(5)), (np.zeros((5, 5)),), ()):
        with pytest.raises(symopt.DataError, match=r"shape \(5, 5\) and an array of float64"):
            problem.gauss_newton(P, out=pair)


@pytest.mark.parametrize("shape", [(7, 4), (6, 5), (5, 7), (35,), (7, 5, 1)])
def test_an_unfit_matrix_is_refused(problem: symopt.Problem, shape: Any) -> None:
    for _ in range(2):
        with pytest.raises(symopt.DataError, match=r"with shape \(7, 5\), found float64 with"):
            problem.jac(P, out=np.zeros(shape))


@pytest.mark.parametrize("shape", [(4,), (6,), (), (5, 1), (1, 5), (0,)])
def test_vectors_of_another_shape_are_refused(problem: symopt.Problem, shape: Any) -> None:
    wrong = np.zeros(shape)
    for _ in range(2):
        with pytest.raises(symopt.DataError, match=r"p must have shape \(5,\), found"):
            problem.value(wrong)
        if shape != (5, 1):  # a vector as the only column of a matrix is one of many
            with pytest.raises(symopt.DataError, match=r"v must have shape \(5,\), found"):
                problem.hvp(P, wrong)
        with pytest.raises(symopt.DataError, match=r"u must have shape \(7,\), found"):
            problem.vjp(P, wrong)


def test_names_and_numbers_of_arguments(problem: symopt.Problem) -> None:
    function: Any = problem
    key = "".join(["o", "u", "t"])  # equal to the name, but not the same object
    for _ in range(2):
        assert problem.value(p=P) == EXPECTED["value"][1]
        assert_equal(problem.hvp(v=V, p=P), HESSIAN @ V)
        assert_equal(problem.hvp(P, v=V, out=np.zeros(5)), HESSIAN @ V)
        out = np.zeros(5)
        assert problem.grad(P, **{key: out}) is out
        with pytest.raises(TypeError, match=r"value\(\) missing 1 required positional argument"):
            function.value()
        with pytest.raises(TypeError, match=r"value\(\) takes 2 positional arguments but 3"):
            function.value(P, P)
        with pytest.raises(TypeError, match="unexpected keyword argument 'out'"):
            function.value(P, out=np.zeros(()))
        with pytest.raises(TypeError, match="unexpected keyword argument 'into'"):
            function.grad(P, into=np.zeros(5))
        with pytest.raises(TypeError, match=r"hvp\(\) missing 1 required positional argument: 'v'"):
            function.hvp(P)
        with pytest.raises(TypeError, match="takes 3 positional arguments but 10001 were given"):
            function.hvp(*[P] * 10_000)


def test_jacobians_of_a_definition_after_those_of_the_cut(problem: symopt.Problem) -> None:
    for _ in range(2):
        assert_equal(problem.jac(P), A)
        assert_equal(problem.jac(P, of="r"), A)
        out = np.zeros(7)
        assert problem.jvp(P, V, of="r", out=out) is out
        assert_equal(out, A @ V)
        with pytest.raises(symopt.DataError, match="there is no definition `s`"):
            problem.vjp(P, U, of="s")


class Unwilling:
    """Something that does not become an array."""

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise LookupError("not today")


class Reentrant:
    """Something that becomes an array by way of the very function it is given to."""

    def __init__(self, problem: symopt.Problem) -> None:
        self.problem = problem

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return self.problem.grad(list(P))


def test_what_a_conversion_does_is_its_own_business(problem: symopt.Problem) -> None:
    unwilling: Any = Unwilling()
    for _ in range(2):
        with pytest.raises(LookupError, match="not today"):
            problem.grad(unwilling)
        with pytest.raises(ValueError, match="could not convert"):
            problem.grad(["a"] * 5)
        assert_equal(problem.grad(Reentrant(problem)), gradient(gradient(P)))


# ── memory that is read and written ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shift", range(-5, 6))
def test_out_may_overlap_the_arguments(problem: symopt.Problem, shift: int) -> None:
    for _ in range(2):
        room = np.zeros(15)
        p, out = room[5:10], room[5 + shift : 10 + shift]
        p[:] = P
        problem.grad(p, out=out)
        np.testing.assert_array_equal(out, gradient(P))
        p[:] = V
        problem.hvp(P, p, out=out)
        np.testing.assert_array_equal(out, HESSIAN @ V)


def test_two_results_may_overlap_the_arguments(problem: symopt.Problem) -> None:
    for start in range(0, 30, 3):
        for first in (False, True):
            room = np.zeros(40)
            p = room[start : start + 5]
            G, g = (
                (room[:25].reshape(5, 5), np.zeros(5)) if first else (np.zeros((5, 5)), room[15:20])
            )
            p[:] = P
            problem.gauss_newton(p, out=(G, g))
            assert_equal((G, g), EXPECTED["gauss_newton"][1])


def test_results_may_overlap_each_other(problem: symopt.Problem) -> None:
    """They are written in their order."""
    for _ in range(2):
        G = np.zeros((5, 5))
        problem.gauss_newton(P, out=(G, G[2]))
        np.testing.assert_array_equal(G[2], gradient(P))
        np.testing.assert_array_equal(np.delete(G, 2, 0), np.delete(HESSIAN, 2, 0))


@pytest.mark.usefixtures("way")
def test_out_may_overlap_the_data() -> None:
    for shift in range(-7, 8):
        room = np.zeros(21)
        bound, out = room[7:14], room[7 + shift : 14 + shift]
        problem = MODEL.bind(A=A, b=bound)
        for _ in range(2):
            bound[:] = B
            problem.residuals(P, out=out)
            np.testing.assert_array_equal(out, A @ P - B)


@pytest.mark.usefixtures("way")
def test_data_that_changes_in_place_is_seen() -> None:
    b = B.copy()
    problem = MODEL.bind(A=A, b=b)
    assert_equal(problem.residuals(P), A @ P - B)
    b += 1
    assert_equal(problem.residuals(P), A @ P - (B + 1))


# ── what is kept, and what is not ────────────────────────────────────────────────────────────────


def ways_to_call(
    problem: symopt.Problem, out: np.ndarray, far: np.ndarray
) -> Iterator[Callable[[], object]]:
    """Calls by every path: quick, long, and refused."""
    wrong = np.zeros(6)
    for name, (arguments, _) in EXPECTED.items():
        function = getattr(problem, name)
        yield lambda function=function, arguments=arguments: function(*arguments)
        yield lambda function=function, arguments=arguments: function(*map(list, arguments))
    yield lambda: problem.value_and_grad(P, out=out)
    yield lambda: problem.grad(P, out=None)
    yield lambda: problem.grad(out, out=out)
    yield lambda: problem.hess(P, out=far)
    yield lambda: problem.gauss_newton(P, out=(far, out))

    def refused(call: Callable[[], object], error: type[Exception]) -> None:
        with pytest.raises(error):
            call()

    function: Any = problem.hvp
    yield lambda: refused(lambda: function(wrong, V), symopt.DataError)
    yield lambda: refused(lambda: function(P, wrong), symopt.DataError)
    yield lambda: refused(lambda: function(P, V, out=wrong), symopt.DataError)
    yield lambda: refused(lambda: function(P), TypeError)


def test_references_are_kept_in_balance(problem: symopt.Problem) -> None:
    out, far = np.zeros(5), np.zeros((5, 5))
    calls = list(ways_to_call(problem, out, far))
    for call in calls:
        call()
    watched = [P, V, U, out, far, np.float64, np.dtype(np.float64), None, np.ndarray, "out", ()]
    watched += [problem.__dict__.get(name) for name in EXPECTED]
    for call in calls:
        before = [sys.getrefcount(thing) for thing in watched]
        for _ in range(50):
            call()
        after = [sys.getrefcount(thing) for thing in watched]
        # Other code in this process may take or drop a reference to None, not fifty.
        assert max(abs(b - a) for a, b in zip(before, after, strict=True)) < 25


def owners(make: Callable[[], object]) -> int:
    """How many references there are to something just made."""
    thing = make()
    return sys.getrefcount(thing)


def test_results_have_one_owner(problem: symopt.Problem) -> None:
    one = owners(lambda: np.zeros(5))
    for name, (arguments, _) in EXPECTED.items():
        for _ in range(2):
            call = getattr(problem, name)
            assert owners(lambda call=call, arguments=arguments: call(*arguments)) == one
    for k in range(2):
        assert owners(lambda k=k: problem.gauss_newton(P)[k]) == one
        assert owners(lambda k=k: problem.value_and_grad(P)[k]) == one


def test_calls_leave_no_memory_behind(problem: symopt.Problem) -> None:
    calls = list(ways_to_call(problem, np.zeros(5), np.zeros((5, 5))))

    def call_all(times: int) -> int:
        for call in calls:
            for _ in range(times):
                call()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = call_all(5)
        # One object per call would be 24 bytes or more; Python's own caches vary by less.
        assert call_all(300) - before < 6000
    finally:
        tracemalloc.stop()


@native
def test_problems_go_when_they_are_dropped() -> None:
    gc.collect()
    gc.disable()  # by counting references alone
    try:
        problem = MODEL.bind(A=A.copy(), b=B)
        for name, (arguments, _) in EXPECTED.items():
            getattr(problem, name)(*arguments)
            getattr(problem, name)(*map(list, arguments))
        gone, data = weakref.ref(problem), weakref.ref(problem._bound.arrays["A"])
        kept = problem.jac
        del problem
        assert gone() is None
        assert_equal(kept(P), A)
        assert_equal(kept(list(P), of="r"), A)
        del kept
        assert data() is None
    finally:
        gc.enable()


def test_functions_outlive_everything_else() -> None:
    kept = []
    for k in range(6):
        model = symopt.parse(f"data a\nparam x init 0\nminimize (x - a)^2 + {k % 2}")
        problem = model.bind(a=float(k))
        problem.value([0.0])
        kept.append(problem.value)
        del model, problem
        gc.collect()
    assert [value(np.ones(1)) for value in kept] == [(1 - k) ** 2 + k % 2 for k in range(6)]


def test_a_process_may_end_with_functions_in_use() -> None:
    script = f"""
import sys, types, atexit, numpy as np, symopt
problem = symopt.parse({LINEAR!r}).bind(A=np.eye(2), b=np.ones(2))
p = np.zeros(2)
problem.value(p), problem.grad(p)
elsewhere = types.ModuleType("elsewhere")
elsewhere.kept = [problem.value, problem.grad]
sys.modules["elsewhere"] = elsewhere
sys.kept = problem.value
atexit.register(lambda value=problem.value: print(value(p)))
print(problem.value(p))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2.0\n2.0\n", "")


# ── threads ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["value_and_grad", "gauss_newton", "hvp"])
def test_threads_by_every_path(problem: symopt.Problem, name: str) -> None:
    function = getattr(problem, name)
    arguments, _ = EXPECTED[name]
    points = [P + k for k in range(8)]
    rest = arguments[1:]
    alone = MODEL.bind(A=A, b=B)
    expected = [getattr(alone, name)(p, *rest) for p in points]

    def work(k: int) -> None:
        p, listed = points[k], points[k].tolist()
        for _ in range(200):
            assert_equal(function(p, *rest), expected[k])
            assert_equal(getattr(problem, name)(listed, *rest), expected[k])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def hand_made(body: str, buffers: dict[str, Buffer], data: dict[str, Any], p: Any) -> Any:
    """A function of IR of our own, on the slots %p, %result and, if there are more, %third."""
    slots = ["%p", "%result", "%third"][: len(buffers)]
    loads = "\n".join(
        f"  {slot}.at = getelementptr ptr, ptr %table, i64 {k}\n  {slot} = load ptr, ptr {slot}.at"
        for k, slot in enumerate(slots)
    )
    ir = f"define void @made(ptr %table) {{\nentry:\n{loads}\n{body}\n}}"
    kernel = Kernel("made", (), buffers, ("result",), ())
    library = compile_ir(ir, "made")
    return NativeFunction(kernel, library, {}, data, {"p": p}, {"p": p})


WAITING = """
  br label %look
look:
  %k = phi i64 [ 0, %entry ], [ %next, %look ]
  %next = add i64 %k, 1
  %seen = load volatile double, ptr %third
  %set = fcmp une double %seen, 0.0
  %late = icmp eq i64 %next, 20000000000
  %stop = or i1 %set, %late
  br i1 %stop, label %finish, label %look
finish:
  store double %seen, ptr %result
  ret void"""
SCRATCH = """
  %given = load double, ptr %p
  store volatile double %given, ptr %third
  br label %look
look:
  %k = phi i64 [ 0, %entry ], [ %next, %look ]
  %next = add i64 %k, 1
  %seen = load volatile double, ptr %third
  %stop = icmp eq i64 %next, 1000000
  br i1 %stop, label %finish, label %look
finish:
  store double %seen, ptr %result
  ret void"""


def _value(self: object, p: Any) -> object:
    """The value."""
    raise AssertionError("the long way")


def method_of(function: NativeFunction) -> Callable[..., Any]:
    method = function.method([()], MethodType(_value, object()))
    assert method is not None
    return method


@native
def test_long_kernels_let_other_threads_run() -> None:
    """The kernel waits for something that only another Python thread does."""
    flag, p = np.zeros(1000), np.zeros(1)
    buffers = {
        "p": Buffer("p", (), Storage.GIVEN),
        "result": Buffer("result", (), Storage.OUTPUT),
        "flag": Buffer("flag", (constant(1000),), Storage.GIVEN),
    }
    function = hand_made(WAITING, buffers, {"flag": flag}, p)
    method = method_of(function)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(method, np.zeros(1))
        time.sleep(0.05)
        flag[0] = 3.0
        assert waiting.result() == 3.0


@native
@pytest.mark.parametrize("few", [-1, 512])
def test_kernels_with_memory_of_their_own_run_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(functions, "_FEW", few)
    p = np.zeros(1)
    buffers = {
        "p": Buffer("p", (), Storage.GIVEN),
        "result": Buffer("result", (), Storage.OUTPUT),
        "room": Buffer("room", (constant(100),), Storage.WORKSPACE),
    }
    function = hand_made(SCRATCH, buffers, {}, p)
    method = method_of(function)

    def quick(k: int) -> None:
        point = np.full(1, float(k))
        for _ in range(20):
            assert method(point) == k

    def long() -> None:
        for _ in range(20):
            with function.lock:
                p[0] = -1.0
                function.run()
                assert function.result[0] == -1.0

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(quick, k) for k in range(4)] + [pool.submit(long)]
    assert [run.exception() for run in running] == [None] * 5


# ── what it looks like, and where there is none ──────────────────────────────────────────────────


@native
@pytest.mark.parametrize("name", EXPECTED)
def test_functions_document_themselves(problem: symopt.Problem, name: str) -> None:
    getattr(problem, name)(*EXPECTED[name][0])
    found, method = getattr(problem, name), getattr(symopt.Problem, name)
    assert found.__name__ == name
    assert found.__doc__ == method.__doc__
    assert list(inspect.signature(found).parameters) == list(
        inspect.signature(method.__get__(problem)).parameters
    )


@native
def test_this_python_has_an_entry() -> None:
    assert entries.entry() is not None


@native
@pytest.mark.parametrize("field", ["ARRAYS", "OBJECTS"])
def test_objects_of_another_layout_are_noticed(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    places = getattr(entries, field)
    assert entries._is_as_expected()
    for name, place in places.items():
        monkeypatch.setattr(entries, field, {**places, name: place + 8})
        assert not entries._is_as_expected(), name


@native
def test_another_numpy_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries._numpy_function() is not None
    monkeypatch.setattr(entries, "_ARRAY_TYPE", entries._ARRAY_TYPE + 1)
    assert entries._numpy_function() is None
    monkeypatch.setattr(entries, "import_module", lambda name: object())
    assert entries._numpy_function() is None
