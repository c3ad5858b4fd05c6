"""The Python module of compiled code: what it computes, alone, as a problem of symopt does."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import symopt
from symopt.artifacts.build import interface_of
from symopt.artifacts.python.module import python_module
from tests.support.artifacts import bound_arrays
from tests.support.python_artifacts import compile_into, module_in

# What is computed in another order, for sizes that are open or compiled in, differs in rounding.
TOLERANCE = 1e-12
OF_LOSS = ("value", "grad", "value_and_grad", "hvp", "hess")
THROUGH_CUT = ("residuals", "jac", "residuals_and_jac", "jvp", "vjp", "gauss_newton", "gnvp")

# A process that has nothing but the standard library and NumPy.
ALONE = """
import pickle, sys
sys.modules.update(dict.fromkeys(("symopt", "scipy", "llvmlite", "sympy", "pandas")))
import numpy as np

found = {}
for stem, (data, points) in pickle.load(open("data.pickle", "rb")).items():
    module = __import__(stem)
    problem = module.bind(data)
    found[stem] = {
        "facts": (problem.n, problem.names, problem.dims, problem.dtype.name),
        "x0": problem.x0, "start": problem.start(3),
        "bounds": problem.bounds, "open_bounds": problem.open_bounds,
        "unpacked": list(problem.unpack(problem.x0).values()),
        "packed": problem.pack(problem.unpack(points["p"])),
    }
    for name in module.FUNCTIONS:
        if hasattr(problem, name):
            given = {"hvp": "pv", "jvp": "pv", "gnvp": "pv", "vjp": "pu"}.get(name, "p")
            found[stem][name] = getattr(problem, name)(*(points[letter] for letter in given))
        else:
            found[stem][name] = problem.eval(name, points["p"])
pickle.dump(found, open("found.pickle", "wb"))
"""

# Programs of the examples, what else is compiled, and sizes that are compiled in.
MODELS: dict[str, tuple[str, tuple[str, ...], dict[str, int]]] = {
    "misra1a": ("nist/misra1a.sym", ("f",), {}),
    "logistic": ("logistic/logistic.sym", ("accuracy",), {"d": 4}),
    "softmax": ("softmax/iris.sym", ("z",), {}),
    "mixture": ("mixture/iris.sym", ("weight",), {}),
    "dubrovnik": ("bundle-adjustment/dubrovnik.sym", (), {"cameras": 3}),
}
SMALL = {"mixture": ("value", "grad", "hvp"), "dubrovnik": ("value", "residuals", "jac", "vjp")}
EXAMPLES = Path(__file__).parents[3] / "examples"


def point_of(problem: Any, seed: int = 0) -> np.ndarray:
    p = problem.x0
    return p * (1 + 1e-3 * np.random.default_rng(seed).standard_normal(len(p))).astype(p.dtype)


def functions_of(stem: str, model: symopt.Model) -> tuple[str, ...]:
    chosen = SMALL.get(stem, (*OF_LOSS, *(THROUGH_CUT if model.cut else ())))
    return (*chosen, *MODELS[stem][1])


def expected(problem: Any, name: str, points: dict[str, np.ndarray]) -> Any:
    if not hasattr(problem, name):
        return problem.eval(name, points["p"])
    given = {"hvp": "pv", "jvp": "pv", "gnvp": "pv", "vjp": "pu"}.get(name, "p")
    return getattr(problem, name)(*(points[letter] for letter in given))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Problems of symopt, points, and what a process without symopt finds there."""
    import pickle

    folder = tmp_path_factory.mktemp("alone")
    problems: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for stem, (file, _, sizes) in MODELS.items():
        model = symopt.load(EXAMPLES / file)
        problem = problems[stem] = model.bind()
        compile_into(folder, model, stem, functions_of(stem, model), sizes)
        rng = np.random.default_rng(1)
        points = {"p": point_of(problem), "v": rng.standard_normal(problem.n)}
        if model.cut:
            points["u"] = rng.standard_normal(len(problem.residuals(points["p"])))
        arrays = bound_arrays(problem)
        given[stem] = {name: arrays[name] for name in model.data}, points
    (folder / "data.pickle").write_bytes(pickle.dumps(given))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = pickle.loads((folder / "found.pickle").read_bytes())
    return {stem: (problems[stem], given[stem][1], found[stem]) for stem in MODELS}


def assert_close(found: Any, wanted: Any) -> None:
    """The same types and shapes, and the same numbers up to rounding."""
    assert type(found) is type(wanted)
    if isinstance(wanted, tuple | list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_close(one, other)
        return
    assert np.shape(found) == np.shape(wanted)
    scale = np.nan_to_num(np.abs(wanted), posinf=0.0).max(initial=0.0)
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.mark.parametrize("stem", MODELS)
def test_alone_it_computes_what_symopt_does(alone: dict[str, Any], stem: str) -> None:
    problem, points, found = alone[stem]
    for name in functions_of(stem, problem.model):
        assert_close(found[name], expected(problem, name, points))


@pytest.mark.parametrize("stem", MODELS)
def test_alone_it_has_the_same_facts(alone: dict[str, Any], stem: str) -> None:
    problem, points, found = alone[stem]
    assert found["facts"] == (problem.n, problem.names, problem.dims, "float64")
    assert_close(found["x0"], problem.x0)
    assert_close(found["start"], problem.start(3))
    assert_close(found["bounds"], problem.bounds)
    assert_close(found["open_bounds"], problem.open_bounds)
    assert_close(found["unpacked"], list(problem.unpack(problem.x0).values()))
    assert_close(found["packed"], points["p"])


# ── one small loss, in this process ──────────────────────────────────────────────────────────────

DECAY = """data x[n], y[n]
param b1 in [0, 1000] init uniform(400, 600)
param b2 in (0, inf) init 0.01
model f[i] = b1 * (1 - exp(-b2 * x[i]))
residual r[i] = y[i] - f[i]
"""
X = np.linspace(10.0, 400.0, 23)
Y = 240.0 * (1 - np.exp(-0.006 * X)) + np.sin(X)
P = np.array([250.0, 0.005])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decay")


@pytest.fixture(scope="module")
def decay(folder: Path) -> ModuleType:
    compile_into(folder, symopt.parse(DECAY, "decay.sym"), "decay")
    return module_in(folder, "decay")


@pytest.fixture
def problem(decay: ModuleType) -> Any:
    return decay.bind(x=X, y=Y)


def test_values_and_gradients_are_those_of_the_formula(problem: Any) -> None:
    decayed = np.exp(-P[1] * X)
    r = Y - P[0] * (1 - decayed)
    J = -np.stack([1 - decayed, P[0] * X * decayed], axis=1)
    assert problem.value(P) == pytest.approx(r @ r, rel=TOLERANCE)
    np.testing.assert_allclose(problem.residuals(P), r, rtol=TOLERANCE, atol=1e-10)
    np.testing.assert_allclose(problem.jac(P), J, rtol=TOLERANCE)
    np.testing.assert_allclose(problem.grad(P), 2 * J.T @ r, rtol=1e-11)  # a sum with cancellation
    G, g = problem.gauss_newton(P)
    np.testing.assert_allclose(G, 2 * J.T @ J, rtol=TOLERANCE)
    np.testing.assert_allclose(g, 2 * J.T @ r, rtol=1e-11)
    assert problem.m == len(r)


def test_scipy_takes_it(problem: Any) -> None:
    result = scipy.optimize.minimize(
        problem.value, P, jac=problem.grad, hess=problem.hess, method="trust-exact"
    )
    fit = scipy.optimize.least_squares(problem.residuals, P, jac=problem.jac, x_scale="jac")
    np.testing.assert_allclose(result.x, fit.x, rtol=1e-6)  # where the tolerances of both end


def test_products_with_many_vectors(problem: Any) -> None:
    V = np.random.default_rng(0).standard_normal((2, 5))
    np.testing.assert_allclose(problem.hvp(P, V), problem.hess(P) @ V, rtol=1e-11)
    out = np.empty((2, 5), order="F")
    assert problem.hvp(P, V, out=out) is out
    np.testing.assert_array_equal(out, problem.hvp(P, V))


def test_results_stay_as_they_are(problem: Any) -> None:
    first = problem.grad(P)
    kept = first.copy()
    problem.grad(2 * P)
    np.testing.assert_array_equal(first, kept)
    first.resize((1, 2))  # nobody else has it


@pytest.mark.parametrize("layout", ["fresh", "strided", "reversed", "of p", "of data"])
def test_results_where_the_caller_wants_them(decay: ModuleType, layout: str) -> None:
    x, p = X.copy(), P.copy()
    problem = decay.bind(x=x, y=Y)
    wanted = problem.grad(P)
    spaces = {
        "fresh": np.empty(2),
        "strided": np.empty(5)[1::2],
        "reversed": np.empty(2)[::-1],
        "of p": p,
        "of data": x[3:5],
    }
    out = spaces[layout]
    assert problem.grad(p, out=out) is out
    np.testing.assert_array_equal(out, wanted)


def test_results_of_two_arrays(problem: Any) -> None:
    G, g = np.empty((2, 2)), np.empty(2)
    found = problem.gauss_newton(P, out=(G, g))
    assert found[0] is G and found[1] is g
    np.testing.assert_array_equal(G, problem.gauss_newton(P)[0])
    value, gradient = problem.value_and_grad(P, out=g)
    assert gradient is g and value == problem.value(P)
    one = np.empty(3)
    twice = problem.gauss_newton(P, out=(np.empty((2, 2)), one[:2]))[1]
    np.testing.assert_array_equal(twice, g)


@pytest.mark.parametrize(
    "p",
    [
        P.tolist(),
        tuple(P),
        P.astype(object),
        P.astype(">f8"),
        np.repeat(P, 3)[::3],
        np.matrix(P).A1,
    ],
    ids=["list", "tuple", "objects", "big-endian", "strided", "matrix"],
)
def test_points_are_whatever_numpy_converts(problem: Any, p: Any) -> None:
    assert problem.value(p) == problem.value(P)


def test_starts_are_drawn_as_by_symopt(problem: Any) -> None:
    same = symopt.parse(DECAY).bind(x=X, y=Y)
    for seed in (0, 1, 2**40):
        np.testing.assert_allclose(problem.start(seed), same.start(seed), rtol=1e-15)
    np.testing.assert_array_equal(problem.bounds, [[0, 0], [1000, np.inf]])
    np.testing.assert_array_equal(problem.open_bounds, [[False, True], [False, True]])


def test_rebinding_replaces_some_data(problem: Any, decay: ModuleType) -> None:
    other = problem.rebind(y=2 * Y)
    assert other.value(P) == decay.bind(x=X, y=2 * Y).value(P)
    assert problem.value(P) == decay.bind(x=X, y=Y).value(P)


def test_data_is_not_copied(decay: ModuleType) -> None:
    y = Y.copy()
    problem = decay.bind(x=X, y=y)
    y[:] = 0.0
    assert problem.value(P) == decay.bind(x=X, y=0 * Y).value(P)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_any_number_of_samples(decay: ModuleType, count: int) -> None:
    problem = decay.bind(x=X[:count], y=Y[:count])
    r = Y[:count] - P[0] * (1 - np.exp(-P[1] * X[:count]))
    assert problem.value(P) == pytest.approx(r @ r, rel=TOLERANCE)
    assert problem.jac(P).shape == (count, 2)


def test_threads_at_the_same_time(decay: ModuleType) -> None:
    x = np.tile(X, 400)
    problem = decay.bind(x=x, y=np.tile(Y, 400))
    points = [P * (1 + k / 10) for k in range(8)]
    wanted = [problem.hess(p) for p in points]
    start, wrong = threading.Barrier(len(points)), []

    def work(k: int) -> None:
        start.wait()
        for _ in range(30):
            if not np.array_equal(problem.hess(points[k]), wanted[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(points))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_asked_for_is_made_of_what_there_is(folder: Path) -> None:
    model = symopt.parse(DECAY, "decay.sym")
    compile_into(folder, model, "joint", ["value_and_grad", "f"])
    compile_into(folder, model, "apart", ["value", "grad", "residuals", "jac"])
    joint = module_in(folder, "joint").bind(x=X, y=Y)
    apart = module_in(folder, "apart").bind(x=X, y=Y)
    assert joint.value(P) == pytest.approx(apart.value(P), rel=TOLERANCE)
    np.testing.assert_allclose(joint.grad(P), apart.grad(P), rtol=TOLERANCE)
    np.testing.assert_allclose(joint.value_and_grad(P)[1], apart.value_and_grad(P)[1], TOLERANCE)
    np.testing.assert_array_equal(apart.residuals_and_jac(P)[1], apart.jac(P))
    np.testing.assert_allclose(joint.eval("f", P), Y - apart.residuals(P), rtol=TOLERANCE)


def test_single_precision(folder: Path) -> None:
    compile_into(folder, symopt.parse(DECAY), "single", ["value", "grad"], precision="float32")
    problem = module_in(folder, "single").bind(x=X, y=Y)
    same = symopt.parse(DECAY).bind(x=X, y=Y, dtype="float32")
    assert problem.dtype == problem.x0.dtype == problem.bounds[0].dtype == np.float32
    assert problem.grad(P).dtype == np.float32 and isinstance(problem.value(P), float)
    np.testing.assert_allclose(problem.grad(P), same.grad(P), rtol=1e-5)
    np.testing.assert_allclose(problem.value(P), same.value(P), rtol=1e-5)


# ── the text ─────────────────────────────────────────────────────────────────────────────────────


def test_it_imports_the_standard_library_and_numpy(folder: Path, decay: ModuleType) -> None:
    tree = ast.parse((folder / "decay.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for node in imports
        for alias in node.names
    }
    assert {name.split(".")[0] for name in names} <= {"numpy", *sys.stdlib_module_names}


def test_no_name_is_defined_twice(folder: Path, decay: ModuleType) -> None:
    tree = ast.parse((folder / "decay.py").read_text(encoding="utf-8"))
    names = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ] + [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert len(names) == len(set(names))


def test_it_says_what_it_is(decay: ModuleType) -> None:
    assert decay.__doc__ is not None
    assert decay.__doc__.startswith("decay: a loss and its derivatives as native code")
    assert "problem = decay.bind(x=x, y=y)" in decay.__doc__
    assert "model f[i] = b1 * (1 - exp(-b2 * x[i]))" in decay.__doc__
    assert list(decay.DIMS) == ["n"] and list(decay.DATA) == ["x", "y"]
    assert list(decay.PARAMS) == ["b1", "b2"]
    assert symopt.__version__ == decay.SYMOPT_VERSION
    assert "value" in decay.FUNCTIONS


def test_texts_that_would_end_a_string(folder: Path) -> None:
    text = (
        '# \\ """ \\n "\ndata x[n] "σ \\ or \'"\nparam σ init 1 "the σ"\nresidual r[i] = σ*x[i]\n'
    )
    compile_into(folder, symopt.parse(text, "σ.sym"), "quoted", ["value"])
    module = module_in(folder, "quoted")
    assert module.__doc__ is not None and '    # \\ """ \\n "\n' in module.__doc__
    assert module.DATA["x"].description == "σ \\ or '"
    assert module.bind(x=[1.0, 2.0]).value([3.0]) == 45.0


def test_the_same_program_gives_the_same_text(folder: Path, decay: ModuleType) -> None:
    again = python_module(interface_of(symopt.parse(DECAY, "decay.sym"), "decay"))
    assert (folder / "decay.py").read_text(encoding="utf-8") == again
