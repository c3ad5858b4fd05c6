"""The text of generated tests, function by function."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# What a file may import, and the pieces of `oracle/comparing.py` that its cases need.
MODULES = ("functools", "math", "importlib.util", "threading")
USES = ("slopes", "bend", "difference", "moved", "directions_at", "offsets", "earlier")

WORDS = (
    "Written by `symopt compile` from {source}. Every compiled function ({functions}) is called "
    "through {stem}.py and compared with the loss in plain NumPy below, in which {source} can be "
    "read line by line: first derivatives are complex steps of it, second derivatives differences "
    "of complex steps."
)
HEAD = '''"""Tests of the compiled loss `{stem}`: run them with `pytest test_{stem}.py`.

{words}
"""

{imports}
from pathlib import Path

import numpy as np
import pytest

# The compiled loss, beside this file: by its place, as there may be another of its name.
spec = importlib.util.spec_from_file_location("{stem}", Path(__file__).with_name("{stem}.py"))
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)'''

CASE = '''class Case:
    """The problem at a point, with directions to look along, and what the oracle says there."""

    def __init__(self, samples, seed, anywhere=False, width=WIDTH):
        dims, arrays = draw(samples, seed)
        self.drawn, self.width = (samples, seed), width
        self.problem = module.bind({**arrays, **dims})
        self.data = all_data(dims, arrays)
        start = self.problem.x0 * (np.nan if anywhere else 1.0)
        self.p = self.rounded(moved(start, self.problem.bounds, SPREAD, seed))
        self.size = np.where(self.p == 0, 1.0, np.abs(self.p))
        self.directions = directions_at(self.p, EVERY, DIRECTIONS, seed)
        self.v = self.rounded(directions_at(self.p, 0, 1, seed + 100)[0])

    def rounded(self, numbers):
        """Numbers that compiled code takes as they are."""
        return numbers.astype(self.problem.dtype).astype(float)
'''
CASE_VALUE = '''
    def value(self, p):
        """The objective, by the oracle."""
        return value(p, self.data)

    @functools.cached_property
    def slopes(self):
        """The gradient along the directions."""
        return slopes(self.value, self.p, self.directions)

    @functools.cached_property
    def scale(self):
        """What roundings are relative to: the objective, and how it moves."""
        return np.max(np.abs([*self.slopes, self.value(self.p)]))

    def hessian(self, width):
        """The Hessian along v and the directions."""
        return bend(self.value, self.p, self.v, self.directions, width)

    @functools.cached_property
    def bend(self):
        return self.hessian(self.width)
'''
CASE_CUT = '''
    def cut(self, p):
        """The residuals or outputs of the model, by the oracle."""
        return cut(p, self.data)

    @functools.cached_property
    def cut_scale(self):
        return np.max(np.abs(self.cut(self.p)), initial=0.0)

    @functools.cached_property
    def u(self):
        """Weights of the cut."""
        return self.rounded(np.cos(np.arange(len(self.cut(self.p)))))

    @functools.cached_property
    def jacobian(self):
        """The change of the cut along the directions, in rows."""
        return slopes(self.cut, self.p, self.directions)

    @functools.cached_property
    def along_v(self):
        """The change of the cut along v."""
        return slopes(self.cut, self.p, [self.v])[0]
'''
CURVATURE_OF_SQUARES = '''
    def gauss_newton(self, width):
        """2 J'J along v and the directions."""
        return 2 * self.jacobian @ self.along_v
'''
_CURVATURE_OF_LOSS = '''
    def gauss_newton(self, width):
        """J' (second derivatives of the loss by the cut) J along v and the directions."""
        m = len(self.along_v)
{near}
        def of_both(x):
            return loss(x[:m], x[m:], self.data{more})

        x = np.concatenate([self.cut(self.p), self.p])
        along = np.concatenate([self.along_v, self.v])
{start}        return bend(of_both, x, along, np.hstack([self.jacobian, self.directions]), width)
'''
CURVATURE_OF_LOSS = _CURVATURE_OF_LOSS.format(near="", more="", start="")
CURVATURE_OF_ROBUST_LOSS = _CURVATURE_OF_LOSS.format(
    near="        near = {}  # of robust losses: their sums of squares at this very point\n",
    more=", near",
    start="        of_both(x)\n",
)
CURVATURE = """
    @functools.cached_property
    def curvature(self):
        return self.gauss_newton(self.width)
"""
# For `data.py`, which chooses data and points by them; not in the file.
FIRST_VALUE = "(case.value(case.p), case.scale), (case.slopes, case.scale)"
FIRST_CUT = "(case.cut(case.p), case.cut_scale), (case.jacobian, case.cut_scale)"
SECOND_VALUE = (
    "(case.hessian(width), case.scale), (difference(case.value, case.p, case.v, width), case.scale)"
)
SECOND_CURVATURE = "(case.gauss_newton(width), case.scale)"

ALL_DATA = '''def all_data(dims, arrays):
    """What the oracle reads: sizes, arrays{more}."""
{single}    data = {{**dims, **arrays}}
    return {result}'''
AS_SINGLE = """    arrays = {
        name: np.float64(np.float32(a)) if a.dtype.kind == "f" else a for name, a in arrays.items()
    }
"""

FIXTURES = '''@functools.cache
def made(*param):
    with np.errstate(all="ignore"):
        return Case(*param)


@pytest.fixture(params=CASES)
def case(request):
    return made(*request.param)


@pytest.fixture(params=CASES[:1])
def one(request):
    return made(*request.param)


@pytest.fixture(autouse=True)
def quiet():
    """What is not finite fails a comparison: it needs no warning."""
    with np.errstate(all="ignore"):
        yield'''

# ── functions beside the oracle; `{value}` and `{cut}` are what differences are taken of ─────────

TESTS: Mapping[str, str] = MappingProxyType(
    {
        "value": """def test_value(case):
    close("value", case.problem.value(case.p), case.value(case.p), FIRST, case.scale)""",
        "grad": """def test_grad(case):
    found = case.problem.grad(case.p)
    close("grad along directions", case.directions @ found, case.slopes, FIRST, case.scale)
    wanted = difference({value}, case.p, case.v, case.width)
    close("grad along v, by differences", case.v @ found, wanted, DIFFERENCES, case.scale)""",
        "value_and_grad": """def test_value_and_grad(case):
    number, found = case.problem.value_and_grad(case.p)
    close("value", number, case.value(case.p), FIRST, case.scale)
    close("grad along directions", case.directions @ found, case.slopes, FIRST, case.scale)""",
        "hvp": """def test_hvp(case):
    found = case.problem.hvp(case.p, case.v)
    close("hvp along directions", case.directions @ found, case.bend, SECOND, case.scale)""",
        "hess": """def test_hess(case):
    found = case.problem.hess(case.p)
    product = case.directions @ found @ case.v
    close("hess along v and directions", product, case.bend, SECOND, case.scale)
    scaled = found * case.size * case.size[:, None]
    close("hess, turned", scaled, scaled.T, SECOND, case.scale)""",
        "residuals": """def test_residuals(case):
    found = case.problem.residuals(case.p)
    close("residuals", found, case.cut(case.p), FIRST, case.cut_scale)""",
        "jac": """def test_jac(case):
    found = case.problem.jac(case.p)
    product = case.directions @ found.T
    close("jac along directions", product, case.jacobian, FIRST, case.cut_scale)
    wanted = difference({cut}, case.p, case.v, case.width)
    close("jac along v, by differences", found @ case.v, wanted, DIFFERENCES, case.cut_scale)""",
        "residuals_and_jac": """def test_residuals_and_jac(case):
    found, matrix = case.problem.residuals_and_jac(case.p)
    close("residuals", found, case.cut(case.p), FIRST, case.cut_scale)
    product = case.directions @ matrix.T
    close("jac along directions", product, case.jacobian, FIRST, case.cut_scale)""",
        "jvp": """def test_jvp(case):
    found = case.problem.jvp(case.p, case.v)
    close("jvp", found, case.along_v, FIRST, case.cut_scale)""",
        "vjp": """def test_vjp(case):
    found = case.problem.vjp(case.p, case.u)
    wanted, scale = case.jacobian @ case.u, np.max(np.abs(case.jacobian), initial=0.0)
    close("vjp along directions", case.directions @ found, wanted, FIRST, scale)""",
        "gauss_newton": '''def test_gauss_newton(case):
    found, gradient = case.problem.gauss_newton(case.p)
    product = case.directions @ found @ case.v
    close("gauss_newton along v and directions", product, case.curvature, SECOND, case.scale)
    close("its gradient", case.directions @ gradient, case.slopes, FIRST, case.scale)
    assert np.array_equal(found, found.T), "gauss_newton is not symmetric"''',
        "gnvp": """def test_gnvp(case):
    found = case.problem.gnvp(case.p, case.v)
    close("gnvp along directions", case.directions @ found, case.curvature, SECOND, case.scale)""",
    }
)
DEFINITIONS = """@pytest.mark.parametrize("name", [{names}])
def test_definition(case, name):
    found = case.problem.eval(name, case.p)
    wanted = np.real(definitions(case.p, case.data)[name])
    close(name, found, wanted, FIRST, np.max(np.abs(wanted), initial=0.0))"""
FISHER = """@pytest.mark.parametrize("kind", [{kinds}])
def test_fisher_is_symmetric_and_has_no_negative_curvature(case, kind):
    found = case.problem.fisher(case.p, kind=kind)
    assert np.array_equal(found, found.T)
    curvatures = np.linalg.eigvalsh(found.astype(float) * case.size * case.size[:, None])
    assert curvatures.min() >= -max(FIRST, 1e-12) * curvatures.max()"""
HESS_AND_HVP = """def test_hess_times_a_vector_is_hvp(case):
    found, wanted = case.problem.hess(case.p) @ case.v, case.problem.hvp(case.p, case.v)
    close("hess along v", case.size * found, case.size * wanted, SECOND, case.scale)"""
GAUSS_NEWTON_AND_GNVP = """def test_gauss_newton_times_a_vector_is_gnvp(case):
    found, wanted = case.problem.gauss_newton(case.p)[0] @ case.v, case.problem.gnvp(case.p, case.v)
    close("gauss_newton along v", case.size * found, case.size * wanted, SECOND, case.scale)"""
SEMIDEFINITE = """def test_gauss_newton_has_no_negative_curvature(case):
    scaled = case.problem.gauss_newton(case.p)[0].astype(float) * case.size * case.size[:, None]
    curvatures = np.linalg.eigvalsh(scaled)
    assert curvatures.min() >= -max(FIRST, 1e-12) * curvatures.max()"""

# ── calls ────────────────────────────────────────────────────────────────────────────────────

RESULTS = '''ARGUMENTS = {{
{arguments}}}  # p: the point, v: a direction, u: weights of the cut


def results(case):
    """What every function gives."""
    return {{
        name: getattr(case.problem, name)(*(getattr(case, one) for one in arguments))
        for name, arguments in ARGUMENTS.items()
    }}'''
REPEATED = """def test_a_repeated_call_gives_the_same_bits(case):
    same_bits(results(case), results(case))"""
THREADS = """def test_two_threads_at_once_get_the_same_bits(one):
    wanted = results(one)
    for found in side_by_side(lambda: results(one), 5):
        same_bits(found, wanted)"""
ALIGNMENT = """def test_arrays_may_begin_anywhere(one):
    dims, arrays = draw(*one.drawn)
    wanted, kind = results(one), one.problem.dtype
    problem = module.bind({**{name: shifted(a) for name, a in arrays.items()}, **dims})
    for name, arguments in ARGUMENTS.items():
        given = [shifted(getattr(one, which).astype(kind)) for which in arguments]
        same_bits({name: getattr(problem, name)(*given)}, {name: wanted[name]})
        room = tuple(shifted(part) for part in arrays_of(wanted[name]) if np.ndim(part))
        for part in room:
            part[...] = np.nan
        if room:
            found = getattr(problem, name)(*given, out=room if len(room) > 1 else room[0])
            same_bits({name: found}, {name: wanted[name]})"""
_BATCH = '''def of_samples(rows):
    """The problem of some of the samples."""
    dims, arrays = draw({count}, {seed})
    for name, axes in AXES.items():
        for axis in axes:
            arrays[name] = np.take(arrays[name], rows, axis)
    return module.bind({{**arrays, **dims, SAMPLE: len(rows)}})


@pytest.mark.parametrize("name", [{names}])
def test_all_samples_beside_some(one, name):
    def of(rows):
        return getattr(of_samples(rows), name)(one.p)

    rows = list(range({count}))
    whole, scale = of(rows), one.scale * {count}
{body}'''
BATCH_OF_MEAN = _BATCH.replace(
    "{body}",
    """    close("mean over samples", sum(of([k]) for k in rows) / {count}, whole, FIRST, scale)
    halves = (4 * of(rows[:4]) + {rest} * of(rows[4:])) / {count}
    close("mean of two parts", halves, whole, FIRST, scale)""",
)
BATCH_OF_SUM = _BATCH.replace(
    "{body}",
    """    rest = of([0]) + of([1]) - of([0, 1])  # what does not belong to samples
    singles = sum(of([k]) - rest for k in rows) + rest
    close("sum over samples", singles, whole, FIRST, scale)
    close("sum of two parts", of(rows[:4]) + of(rows[4:]) - rest, whole, FIRST, scale)""",
)
WRONG_POINT = """@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_vector_of_another_length_is_refused(one, name):
    given = [getattr(one, which) for which in ARGUMENTS[name]]
    for k, vector in enumerate(given):
        wrong = [*given[:k], np.append(vector, 0.0), *given[k + 1 :]]
        with pytest.raises(module.DataError):
            getattr(one.problem, name)(*wrong)"""
WRONG_DATA = """def test_data_that_does_not_fit_is_refused(one):
    dims, arrays = draw(*one.drawn)
    missing = {{name: array for name, array in arrays.items() if name != {name}}}
    for wrong in (missing, {{**arrays, {name}: np.zeros((2, *np.shape(arrays[{name}])))}}):
        with pytest.raises(module.DataError):
            module.bind({{**wrong, **dims}})"""
WRONG_INDEX = """def test_an_index_out_of_range_is_refused(one):
    dims, arrays = draw(*one.drawn)
    for outside in (-1, 10**9):
        with pytest.raises(module.DataError):
            module.bind({{**arrays, **dims, {name}: np.full_like(arrays[{name}], outside)}})"""
