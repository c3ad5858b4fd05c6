"""Compiled code in C programs: same bits as in Python, memory, threads, refusals, sanitizers."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.native.targets import host
from symopt.problem import Problem
from symopt.types import evaluate
from tests.oracles.test_every_program import MAKERS
from tests.support.artifacts import bound_arrays, compiled_sizes
from tests.support.c_driver import SOURCES, WARNINGS, Case, Driver, Found, run, works

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
needs_valgrind = pytest.mark.skipif(
    shutil.which("valgrind") is None or platform.machine() != "x86_64" or not host().fma,
    reason="needs valgrind on x86-64 with AVX2",
)
EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLES = (0, 1, 7, 8, 9, 17)
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# The level of the processor is kept by an atomic store, which looks like any other to helgrind.
SUPPRESSED = "{\n   level of the processor\n   Helgrind:Race\n   fun:processor\n}\n"


@dataclass(frozen=True, slots=True)
class Loss:
    """A program, the functions to compile, and the dim whose size varies."""

    program: str
    functions: tuple[str, ...] = ("value", "grad", "hvp", "gauss_newton")
    samples: str = "n"
    dtype: Any = np.float64


LOSSES = {
    "misra1a": Loss("examples/nist/misra1a"),
    "misra1a, float32": Loss("examples/nist/misra1a", dtype=np.float32),
    "logistic": Loss("examples/logistic/logistic"),
    "logistic, float32": Loss("examples/logistic/logistic", ("grad", "hvp"), dtype=np.float32),
    "mixture": Loss("examples/mixture/iris", ("value", "grad", "hvp")),
    "kalman": Loss("examples/kalman/nile", ("value", "grad", "hvp"), "T"),
    "bundle adjustment": Loss(
        "examples/bundle-adjustment/dubrovnik", ("value", "grad", "gauss_newton")
    ),
    "ragged": Loss("good/ragged_range", ("value", "grad", "hvp")),
}
# Fewer functions, as these are compiled once more; what valgrind emulates ends before AVX-512.
CHECKED = {
    "misra1a": LOSSES["misra1a"],
    "logistic, float32": LOSSES["logistic, float32"],
    "mixture": replace(LOSSES["mixture"], functions=("grad",)),
    "kalman": replace(LOSSES["kalman"], functions=("grad",)),
    "bundle adjustment": replace(LOSSES["bundle adjustment"], functions=("gauss_newton",)),
    "ragged": replace(LOSSES["ragged"], functions=("grad",)),
}


class Built:
    """A loss with its driver, and the cases of several sizes that it is run on."""

    def __init__(self, loss: Loss, folder: Path, target: str = "native") -> None:
        self.loss, self.folder = loss, folder
        problem, p, _ = MAKERS[loss.program]()
        self.model, arrays = problem.model, bound_arrays(problem)
        sizes = compiled_sizes(problem, self.model)
        self.driver = Driver(
            folder, self.model, loss.functions, sizes, dtype=loss.dtype, target=target
        )
        inputs = {"p": p, "v": np.random.default_rng(1).normal(size=len(p))}
        self.inputs = {name: array.astype(loss.dtype) for name, array in inputs.items()}
        every = [problem.dims, *({**problem.dims, loss.samples: count} for count in SAMPLES)]
        self.cases = [Case(d, resized(self.model, arrays, d), self.inputs) for d in every]
        self.file = self.driver.write(self.cases)
        self.program = self.driver.build()

    def printed(self, mode: str, *before: str) -> str:
        """What the driver prints, run by another program if need be."""
        return run(*before, str(self.program), mode, str(self.file), folder=self.folder)

    def in_python(self, case: Case) -> Problem | None:
        """The same as the just-in-time compiler makes it, if it can be bound."""
        try:
            return self.model.bind({**case.arrays, **case.dims}, dtype=self.loss.dtype)
        except symopt.SymoptError:
            return None


def resized(
    model: symopt.Model, arrays: Mapping[str, Any], dims: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """The data repeated or cut to other sizes, indices no greater than they may be."""
    found: dict[str, np.ndarray] = {}
    for name, data in model.data.items():
        shape = tuple(evaluate(size, dims, {}, {}) for size in data.shape)
        found[name] = np.resize(arrays[name], shape)
        if data.index_of is not None:
            found[name] = np.minimum(found[name], evaluate(data.index_of, dims, {}, {}) - 1)
    return found


@pytest.fixture(scope="module", params=LOSSES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(LOSSES[request.param], tmp_path_factory.mktemp("native"))


def test_same_bits_as_in_python(built: Built) -> None:
    every, compared = built.driver.read(built.printed("heap")), 0
    for case, found in zip(built.cases, every, strict=True):
        problem = built.in_python(case)
        if problem is None:
            assert found["check"].status != 0
            assert all(one == Found(found["check"].status, ()) for one in found.values())
            continue
        for name in built.loss.functions:
            inputs = [built.inputs[one] for one in ("p", "v")[: 2 if name == "hvp" else 1]]
            results = getattr(problem, name)(*inputs)
            results = results if isinstance(results, tuple) else (results,)
            for ours, wanted in zip(found[name].results, results, strict=True):
                compared += 1
                assert_same_bits(ours, np.ravel(wanted).astype(float))
    assert compared >= 4 * len(built.loss.functions)


def assert_same_bits(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal numbers with equal signs, also of zeros; any nan is like another."""
    np.testing.assert_array_equal(found, wanted)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(wanted[numbers]))


@pytest.mark.parametrize("mode", ["ends", "begins"])
def test_nothing_beside_the_arrays_is_touched(built: Built, mode: str) -> None:
    """Pages there are protected; and results do not depend on where arrays are."""
    assert built.printed(mode) == built.printed("heap")


def test_two_threads_at_once(built: Built) -> None:
    assert built.printed("threads") == built.printed("heap")


def test_the_driver_sees_what_is_read_beyond_an_array(tmp_path: Path) -> None:
    """The case is wrong: one number less than the size says."""
    built = Built(replace(LOSSES["misra1a"], functions=("grad",)), tmp_path)
    first = built.cases[0]
    short = {**first.arrays, "y": first.arrays["y"][:-1]}
    built.driver.write([replace(first, arrays=short)])
    with pytest.raises(AssertionError):
        built.printed("ends")


@needs_valgrind
@pytest.mark.parametrize("name", CHECKED)
def test_valgrind_finds_nothing(name: str, tmp_path: Path) -> None:
    """No read or write beyond an array, nothing used that nobody wrote; and the same bits."""
    built = Built(CHECKED[name], tmp_path, "x86-64-v3")
    command = ("valgrind", "--quiet", "--error-exitcode=1", "--leak-check=full")
    assert built.printed("heap", *command) == built.printed("heap")
    if name == "misra1a":
        (tmp_path / "suppressed").write_text(SUPPRESSED)
        command = ("valgrind", "--quiet", "--error-exitcode=1", "--tool=helgrind")
        command += ("--suppressions=suppressed",)
        assert built.printed("threads", *command) == built.printed("heap")


# ── programs with the whole interface ────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the header and the object of the logistic regression, and of Misra1a."""
    from symopt.artifacts.build import generate_code, interface_of
    from symopt.artifacts.header import header
    from symopt.native.targets import host_target

    folder = tmp_path_factory.mktemp("package")
    for program, stem in (
        ("logistic/logistic", "loss"),
        ("logistic/logistic", "logistic"),
        ("nist/misra1a", "misra1a"),
    ):
        model = symopt.load(EXAMPLES / f"{program}.sym")
        functions = {"loss": None, "logistic": ["value_and_grad"], "misra1a": ["grad"]}[stem]
        interface = interface_of(model, stem, functions)
        text = header(interface, f"{stem}.sym", [host_target()])
        (folder / f"{stem}.h").write_text(text, encoding="utf-8")
        (folder / f"{stem}.o").write_bytes(generate_code(interface, [host_target()]).image)
    return folder


def test_what_cannot_be_is_refused_and_nothing_written(package: Path, tmp_path: Path) -> None:
    words = ["cc", *WARNINGS, "-I", str(package), str(SOURCES / "refusals.c")]
    run(*words, str(package / "loss.o"), "-lm", "-o", "refusals", folder=tmp_path)
    assert run(str(tmp_path / "refusals"), folder=tmp_path) == "211 tried, 0 wrong, workspace 1\n"


@pytest.mark.parametrize("source", ["refusals.c", "logistic.c"])
def test_address_and_undefined_behaviour_sanitizers(
    source: str, package: Path, tmp_path: Path
) -> None:
    if not works(*SANITIZERS, folder=tmp_path):
        pytest.skip("the C compiler has no sanitizers")
    path = (SOURCES if source == "refusals.c" else EXAMPLES / "embedding") / source
    thing = "loss.o" if source == "refusals.c" else "logistic.o"
    words = ["cc", "-std=c11", "-g", *SANITIZERS, "-I", str(package), str(path)]
    run(*words, str(package / thing), "-lm", "-o", "program", folder=tmp_path)
    with (EXAMPLES / "data" / "iris.csv").open() as table:
        done = subprocess.run(
            [tmp_path / "program"], stdin=table, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 wrong" in done.stdout or "loss 0.4933252822" in done.stdout


def test_sanitizers_find_nothing_in_the_driver(tmp_path: Path) -> None:
    if not works(*SANITIZERS, folder=tmp_path):
        pytest.skip("the C compiler has no sanitizers")
    built = Built(replace(LOSSES["misra1a"], functions=("grad",)), tmp_path)
    plain = built.printed("heap")
    built.program = built.driver.build(*SANITIZERS)
    assert built.printed("heap") == plain
    assert built.printed("threads") == plain


def test_thread_sanitizer(package: Path, tmp_path: Path) -> None:
    if not works("-fsanitize=thread", folder=tmp_path):
        pytest.skip("the C compiler has no thread sanitizer, or it does not run here")
    source = EXAMPLES / "embedding" / "threads.c"
    words = ["cc", "-g", "-fsanitize=thread", "-I", str(package), str(source)]
    run(*words, str(package / "misra1a.o"), "-lm", "-pthread", "-o", "program", folder=tmp_path)
    assert run(str(tmp_path / "program"), folder=tmp_path) == "-32.364979 -157393748.90\n"
