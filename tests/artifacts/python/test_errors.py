"""What the Python module of compiled code says of mistakes: word for word what symopt says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import symopt
from tests.support.python_artifacts import compile_into, module_in, outcome

Pair = tuple[symopt.Model, ModuleType]
Make = Callable[..., Pair]

TEXT = """data X[n, d], y[n], s = 2.0, cam[n] in k
dim k
param w[d] init 0
minimize sum((X @ w * s - y)^2) + sum(cam * w[0])
"""
X = np.arange(12.0).reshape(4, 3)
Y = np.array([0.5, -1.0, 2.0, 3.0])
CAM = np.array([0, 1, 2, 0])
GOOD: dict[str, Any] = {"X": X, "y": Y, "cam": CAM, "k": 3}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    folder = tmp_path_factory.mktemp("errors")

    def compiled(text: str, stem: str, *functions: str, **options: Any) -> Pair:
        model = symopt.parse(text, "test.sym")
        compile_into(folder, model, stem, functions or ("value",), **options)
        return model, module_in(folder, stem)

    return compiled


@pytest.fixture(scope="module")
def pair(make: Make) -> Pair:
    return make(TEXT, "one", "value", "grad", "value_and_grad", "hvp", "hess")


def assert_same(pair: Pair, given: Any, call: Callable[[Any], Any] | None = None) -> Any:
    """The same error, or none from both; returns what comes of symopt's."""
    ours, theirs = (outcome(one.bind, given, call) for one in pair)
    if isinstance(ours, tuple) and ours and isinstance(ours[0], str):
        assert theirs == ours
    else:
        np.testing.assert_array_equal(
            np.asarray(theirs, dtype=object), np.asarray(ours, dtype=object)
        )
    return ours


def changed(**change: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **change}.items() if value is not None}


@pytest.mark.parametrize(
    "change",
    [
        {"y": None},
        {"z": 1},
        {"Xx": 1},
        {"X": Y},
        {"y": 3.0},
        {"s": Y},
        {"s": [2.0]},
        {"s": np.nan},
        {"y": np.ones(5)},
        {"y": ["a", "b", "c", "d"]},
        {"y": [1, 2, None, 4]},
        {"y": [10**400, 0, 0, 0]},
        {"y": Y + 0j},
        {"y": {"a": 1}},
        {"y": "abc"},
        {"X": [[1, 2, 3], [1]]},
        {"X": np.where(X == 5, np.nan, X)},
        {"X": np.where(X > 4, np.nan, X)},
        {"y": np.ma.masked_array(Y, mask=[False, True, False, False])},
        {"y": pd.Series([1, 2, None, 3], dtype="Int64")},
        {"cam": [0, 1, 3, 0]},
        {"cam": [1, 2, 3, 1]},
        {"cam": [0, -1, 2, 0]},
        {"cam": [0, 1.5, 2, 0]},
        {"cam": [0, np.inf, 2, 0]},
        {"cam": [0, 9, 99, 0]},
        {"cam": ["0", "1", "2", "0"]},
        {"cam": np.array([0, 1, 2, 2**63], np.uint64)},
        {"k": None},
        {"k": -1},
        {"k": 2.5},
        {"k": "a"},
        {"k": 0},
        {"n": 7},
        {"d": 2},
        {"X": Y, "y": None, "z": 3, "cam": ["a"] * 4},
    ],
    ids=str,
)
def test_data_that_does_not_fit(pair: Pair, change: dict[str, Any]) -> None:
    name, text = assert_same(pair, changed(**change))
    assert name == "DataError" and "error: " in text


@pytest.mark.parametrize(
    "change",
    [
        {"X": X.astype(object)},
        {"X": X.astype(">f8")},
        {"X": X.astype(np.float32)},
        {"X": np.asfortranarray(X)},
        {"y": pd.Series(Y, index=[3, 2, 1, 0])},
        {"y": np.repeat(Y, 3)[::3]},
        {"cam": [0.0, 1.0, 2.0, 0.0]},
        {"cam": np.array([True, False, True, False])},
        {"s": np.array(3)},
        {"k": 3.0},
        {"n": 4},
    ],
    ids=str,
)
def test_data_that_fits(pair: Pair, change: dict[str, Any]) -> None:
    value = assert_same(pair, changed(**change), lambda problem: problem.value(np.ones(3)))
    assert isinstance(value, float)


@pytest.mark.parametrize(
    "given",
    [5, [1, 2], None, pd.DataFrame({"y": Y, "cam": CAM, "more": Y}), {}],
    ids=["number", "list", "nothing", "frame", "empty"],
)
def test_what_data_comes_in(pair: Pair, given: Any) -> None:
    assert assert_same(pair, given)[0] == "DataError"


def test_a_frame_and_keywords(pair: Pair) -> None:
    frame = pd.DataFrame({"y": Y, "cam": CAM, "more": Y})
    values = [one.bind(frame, X=X, k=3).value(np.ones(3)) for one in pair]
    assert values[0] == values[1]


@pytest.mark.parametrize("options", [{"dtype": "int8"}, {"dtype": None}, {"threads": 2}], ids=str)
def test_options_that_there_are_not(pair: Pair, options: dict[str, Any]) -> None:
    assert assert_same(pair, {**GOOD}, None) == "fine"
    texts = [outcome(lambda given, one=one: one.bind(given, **options), GOOD) for one in pair]
    assert texts[0] == texts[1] and texts[0][0] == "DataError"


ONES, READ_ONLY = np.ones(3), np.ones(3)
READ_ONLY.flags.writeable = False
MISTAKES: dict[str, Callable[[Any], Any]] = {
    "short p": lambda p: p.value(np.ones(2)),
    "matrix p": lambda p: p.value(np.ones((3, 1))),
    "number p": lambda p: p.value(1.0),
    "complex p": lambda p: p.value(ONES * 1j),
    "text p": lambda p: p.value("abc"),
    "texts p": lambda p: p.value(["a", "b", "c"]),
    "no p": lambda p: p.value(None),
    "mapping p": lambda p: p.value({}),
    "long p": lambda p: p.grad(np.ones(4)),
    "short out": lambda p: p.grad(ONES, out=np.ones(2)),
    "single out": lambda p: p.grad(ONES, out=np.ones(3, np.float32)),
    "list out": lambda p: p.grad(ONES, out=[1, 2, 3]),
    "no out": lambda p: p.grad(ONES, out=()),
    "read-only out": lambda p: p.grad(ONES, out=READ_ONLY),
    "pair out": lambda p: p.value_and_grad(ONES, out=(1.0, np.ones(3))),
    "out of a matrix": lambda p: p.hess(ONES, out=np.ones(3)),
    "short v": lambda p: p.hvp(ONES, np.ones(2)),
    "short p of a product": lambda p: p.hvp(np.ones(2), ONES),
    "number v": lambda p: p.hvp(ONES, 1.0),
    "complex v": lambda p: p.hvp(ONES, ONES * 1j),
    "low matrix v": lambda p: p.hvp(ONES, np.ones((2, 2))),
    "short p of a matrix": lambda p: p.hvp(np.ones(2), np.ones((3, 2))),
    "turned out": lambda p: p.hvp(ONES, np.ones((3, 2)), out=np.ones((2, 3))),
    "one point": lambda p: p.values(ONES),
    "short points": lambda p: p.values(np.ones((2, 2))),
    "complex points": lambda p: p.values(np.ones((2, 3)) * 1j),
    "long out of points": lambda p: p.values(np.ones((2, 3)), out=np.ones(3)),
    "short param": lambda p: p.pack({"w": [1, 2]}),
    "unknown param": lambda p: p.pack({"v": 1}),
    "nearly known param": lambda p: p.pack({"W": 1}),
    "text param": lambda p: p.pack({"w": "abc"}),
    "complex param": lambda p: p.pack({"w": 1j}),
    "unpack": lambda p: p.unpack(np.ones(2)),
    "unknown definition": lambda p: p.eval("Z", ONES),
    "out of data": lambda p: p.eval("X", ONES, out=np.ones(3)),
    "out of a number": lambda p: p.eval("s", ONES, out=np.ones(3)),
    "seed": lambda p: p.start(-1),
    "rebind short": lambda p: p.rebind(y=ONES),
    "rebind unknown": lambda p: p.rebind(yy=ONES),
    "rebind size": lambda p: p.rebind(k=2),
    "rebind number": lambda p: p.rebind(3),
    "no cut": lambda p: p.jac(ONES),
    "no cut either": lambda p: p.gauss_newton(ONES),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_calls_that_do_not_fit(pair: Pair, mistake: str) -> None:
    assert isinstance(assert_same(pair, GOOD, MISTAKES[mistake])[0], str)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.eval("w", ONES),
        lambda p: p.eval("X", ONES),
        lambda p: p.eval("cam", ONES).dtype,
        lambda p: p.eval("s", ONES),
        lambda p: p.hvp(ONES, np.ones((3, 0))),
        lambda p: p.values(np.ones((0, 3))),
        lambda p: p.values([[1, 2, 3]]),
        lambda p: p.pack({}),
        lambda p: p.pack({"w": 2}),
        lambda p: p.rebind(k=5).dims["k"],
        lambda p: (p.maximize, p.least_squares),
    ],
)
def test_calls_that_fit(pair: Pair, call: Callable[[Any], Any]) -> None:
    assert_same(pair, GOOD, call)


# ── sizes, defaults, packed parameters, starts ───────────────────────────────────────────────────

PROGRAMS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "product": (
        "data a[n*m]\nparam b init 1\nminimize sum(a)*b",
        [{"a": np.ones(6)}, {"a": np.ones(6), "n": 2}, {"a": np.ones(6), "n": 4}],
    ),
    "linear": (
        "data a[2*n + 1], c[n]\nparam b init 1\nminimize (sum(a) + sum(c))*b",
        [{"a": np.ones(6), "c": np.ones(2)}, {"a": np.ones(5), "c": np.ones(3)}],
    ),
    "negative": ("data a[n + 3]\nparam b init 1\nminimize sum(a)*b", [{"a": np.ones(2)}]),
    "default": (
        "dim n = 4\ndim m\ndata a[n*m]\nparam b[m] init 0\nminimize sum(a)*sum(b)",
        [{"a": np.ones(8)}, {"a": np.ones(7)}, {"a": np.ones(7), "m": 7}],
    ),
    "written": (
        "data w[k] = [1, 2, 3]\ndata c[2] = 5\ndata e[k] = w*2\nparam b[k] init w\n"
        "minimize sum(w*b) + sum(c) + sum(e*b)",
        [{}, {"w": [1, 2]}, {"e": [1, 2]}, {"w": [1, 2], "e": [1, 2]}, {"c": [1]}, {"k": 4}],
    ),
    "divided": (
        "data a[n//k]\ndim k\nparam b init 1\nminimize sum(a)*b",
        [{"a": np.ones(2), "k": 0, "n": 3}, {"a": np.ones(2), "k": 2, "n": 4}],
    ),
    "bounded": (
        "data lo, hi = 2, a[n]\nparam b[n] in (lo, hi) init a\nparam c in [0, 1] init 0.5\n"
        "minimize sumsq(b) + c",
        [
            {"lo": 0, "a": [1, 1.5]},
            {"lo": 0, "a": [1, 3]},
            {"lo": 0, "a": [0, 1]},
            {"lo": 2, "a": [1]},
            {"lo": -1, "hi": 5, "a": [5, -2]},
        ],
    ),
    "packed": (
        "data S[n]\nparam L[n, n] as strict lower init 0\nparam A[2, n, n] as symmetric init 0\n"
        "param B[n, n] as lower init 1\nminimize sumsq(L) + sum(S) + sumsq(A) + sumsq(B)",
        [{"S": np.ones(1)}, {"S": np.ones(3)}],
    ),
}
PLACES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "shifted": (
        "data a[n], i[m] in n\nparam b init 0\nminimize sum(a[i[k] + 1]*b for k in range(m))",
        [{"a": np.ones(3), "i": [0, 1]}, {"a": np.ones(3), "i": [0, 2]}],
    ),
    "nested": (
        "data a[n], i[m] in n, j[n] in m\nparam b init 0\n"
        "minimize sum(a[i[j[k]] + 1]*b for k in range(n)) + sum(a[i[k] + 2]*b for k in range(m))",
        [
            {"a": np.ones(3), "i": [0, 1], "j": [0, 0, 1]},
            {"a": np.ones(3), "i": [0, 2], "j": [0, 0, 1]},
            {"a": np.ones(3), "i": [0, 0], "j": [0, 0, 1]},
        ],
    ),
    "constant": (
        "data a[n]\nparam b init 0\nminimize a[3]*b + sum(a[k + 1]*b for k in range(2))",
        [{"a": np.ones(2)}, {"a": np.ones(3)}, {"a": np.ones(4)}],
    ),
    "by data": (
        "data a[n], i[m] in n\nparam b init 0\nminimize sum(a[k // i[k]]*b for k in range(m))",
        [{"a": np.ones(3), "i": [1, 1]}, {"a": np.ones(3), "i": [1, 0]}],
    ),
    "by a dim": (
        "data a[n]\ndim k\nparam b init 0\n"
        "minimize sum(a[j // k]*a[j % k]*b for j in range(n)) + sum(a[j // k]*b for j in range(n))",
        [{"a": np.ones(3), "k": 1}, {"a": np.ones(3), "k": 0}],
    ),
    "forward": (
        "data parent[n] in n, y[n]\nparam a init 0.5\nx[0] = y[0]\n"
        "x[t] = a*x[parent[t]] + y[t] for t in range(1, n)\nminimize sumsq(x)",
        [{"y": np.ones(3), "parent": p} for p in ([0, 0, 1], [0, 0, 2], [1, 2, 2])],
    ),
    "backward": (
        "data parent[n] in n, y[n]\nparam a init 0.5\nx[n - 1] = y[n - 1]\n"
        "x[t] = a*x[t + 1] + x[parent[t]] + y[t] for t in range(n - 1)\nminimize sumsq(x)",
        [{"y": np.ones(3), "parent": p} for p in ([1, 2, 2], [0, 0, 1], [0, 1, 2])],
    ),
}
SQUARE = np.arange(9.0).reshape(3, 3)
PACKED: list[Callable[[Any], Any]] = [
    lambda p: p.names,
    lambda p: p.pack({"L": SQUARE}),
    lambda p: p.pack({"A": [SQUARE, SQUARE]}),
    lambda p: p.pack({"B": SQUARE}),
    lambda p: p.pack({"B": np.tril(SQUARE)}),
    lambda p: p.pack({"B": np.ones(6)}),
    lambda p: p.pack({"B": np.ones(5)}),
    lambda p: p.unpack(np.arange(21.0))["A"],
    lambda p: p.unpack(np.arange(21.0))["L"],
    lambda p: p.unpack(np.arange(21.0))["B"],
    lambda p: p.eval("L", np.arange(21.0)),
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_sizes_starts_and_defaults(make: Make, name: str) -> None:
    text, cases = PROGRAMS[name]
    pair = make(text, name)
    for given in cases:
        assert_same(pair, given)
        assert_same(pair, given, lambda p: (*p.x0, *p.bounds[0], *p.open_bounds[1]))
        assert_same(pair, given, lambda p: p.value(p.x0))
    if name == "packed":
        for call in PACKED:
            assert_same(pair, {"S": np.ones(3)}, call)


@pytest.mark.parametrize("name", PLACES)
def test_places_that_only_data_can_tell(make: Make, name: str) -> None:
    text, cases = PLACES[name]
    pair = make(text, name.replace(" ", "_"))
    found = [assert_same(pair, given) for given in cases]
    assert "fine" in found and any(one != "fine" for one in found)


def test_numbers_that_single_precision_has_not(make: Make) -> None:
    model, module = make(TEXT, "single", precision="float32")
    for change in ({"y": [1e39, 0, 0, 0]}, {"s": 1e39}, {"y": [1e39, np.nan, 0, 0]}):
        given = changed(**change)
        wanted = outcome(lambda data: model.bind(data, dtype="float32"), given)
        assert outcome(module.bind, given) == wanted
    assert outcome(lambda data: module.bind(data, dtype="float64"), GOOD) == (
        "DataError",
        "error: this loss is compiled for float32, not for float64\n"
        "  help: compile again: `symopt compile test.sym --dtype float64`",
    )


# ── what only compiled code can say ──────────────────────────────────────────────────────────────


def test_sizes_that_are_compiled_in(make: Make) -> None:
    _, module = make(TEXT, "sized", sizes={"k": 3, "d": 3})
    assert module.bind(X=X, y=Y, cam=CAM).dims == {"n": 4, "d": 3, "k": 3}
    with pytest.raises(module.DataError) as caught:
        module.bind(X=X, y=Y, cam=CAM, k=4)
    assert str(caught.value) == (
        "test.sym:2:5: error: dim `k` is compiled in as 3, found 4\n"
        "    2 | dim k\n"
        "      |     ^\n"
        "  help: compile again: `symopt compile test.sym --dim k=4`, "
        "or without --dim k for all sizes"
    )
    with pytest.raises(module.DataError) as caught:
        module.bind(X=X[:, :2], y=Y, cam=CAM)
    assert "axis 1 of `X` must have size d = 3, found 2" in str(caught.value)
    assert "note: d = 3 from `symopt compile`" in str(caught.value)


def test_functions_that_are_not_compiled(make: Make) -> None:
    _, module = make(TEXT, "few", "value", "hvp")
    problem = module.bind(GOOD)
    for name in ("grad", "value_and_grad", "hess"):
        with pytest.raises(module.NotCompiled) as caught:
            getattr(problem, name)(ONES)
        assert isinstance(caught.value, AttributeError)
        assert str(caught.value) == (
            f"error: `{name}` is not compiled: there is value, hvp\n"
            f"  help: compile it, too: `symopt compile test.sym --functions value,hvp,{name}`"
        )


def test_definitions_that_are_not_compiled(make: Make) -> None:
    text = "data x[n]\nparam b init 1\nmodel f[i] = b*x[i]\nresidual r[i] = f[i] - 1\n"
    _, module = make(text, "defined", "value", "f")
    problem = module.bind(x=[1.0, 2.0])
    np.testing.assert_array_equal(problem.eval("f", [3.0]), [3.0, 6.0])
    with pytest.raises(module.NotCompiled, match="`r` is not compiled: there is value, f"):
        problem.eval("r", [3.0])


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    compile_into(tmp_path, symopt.parse(TEXT, "test.sym"), "gone", ["value"])
    (tmp_path / "gone.so").unlink()
    said = imported(tmp_path, "gone")
    assert f"gone.LibraryError: error: there is no shared library {tmp_path / 'gone.so'}" in said
    assert "help: link it from gone.o: `cc -shared -o gone.so gone.o -lm`" in said
    (tmp_path / "gone.o").unlink()
    said = imported(tmp_path, "gone")
    assert "keep it beside this module, or compile again: `symopt compile test.sym`" in said


def test_a_library_of_another_build(tmp_path: Path) -> None:
    model = symopt.parse(TEXT, "test.sym")
    compile_into(tmp_path, model, "old", ["value", "grad"])
    text = (tmp_path / "old.py").read_text(encoding="utf-8")
    compile_into(tmp_path, model, "old", ["value"])
    (tmp_path / "old.py").write_text(text, encoding="utf-8")
    module = module_in(tmp_path, "old")
    with pytest.raises(module.LibraryError, match=r"old\.so is of another build than this module"):
        module.bind(GOOD).grad(ONES)


def imported(folder: Path, stem: str) -> str:
    """What is said when a module is imported and bound in another process."""
    run = subprocess.run(
        [sys.executable, "-c", f"import {stem}; {stem}.bind()"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    return run.stderr
