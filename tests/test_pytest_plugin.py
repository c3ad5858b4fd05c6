"""pytest on `.sym` files, as a project that has some would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# An installed package registers the plugin; a bare checkout has to name it.
REGISTERED = bool(entry_points(group="pytest11", name="symopt"))
PLUGIN = () if REGISTERED else ("-p", "symopt.pytest_plugin")

LINE = """\
data x[n], y[n]
param slope init 1, offset init 0
residual r[i] = y[i] - (offset + slope * x[i])
expect finite
expect minimum == 0.099 within 1e-9
expect slope == 1.99 within 1e-9
"""
POINTS = "x,y\n0,1\n1,2.9\n2,5.1\n3,7.2\n4,8.8\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "line.sym").write_text(LINE)
    (tmp_path / "line.csv").write_text(POINTS)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest in a folder of its own, with warnings as errors."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", "-W", "error"]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_file_that_passes(folder: Path) -> None:
    result = run(folder, "line.sym", "-v")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.findall(r"line\.sym::(.*) PASSED", result.stdout) == [
        "parses",
        "derivatives",
        "finite",
        "expect finite",
        "expect minimum == 0.099 within 1e-9",
        "expect slope == 1.99 within 1e-9",
    ]


def test_everything_that_goes_wrong_is_readable(folder: Path) -> None:
    """One run over a folder of programs: what newcomers see, without a traceback."""
    wrong = LINE.replace("== 1.99 within", "== 1.98 within").replace("data x[n], y[n]", NAMED)
    (folder / "wrong.sym").write_text(wrong)
    (folder / "broken.sym").write_text("param a init 0\nminimise a^2\nz = q\n")
    (folder / "nodata.sym").write_text(LINE)
    (folder / "nofile.sym").write_text(LINE.replace("data x[n], y[n]", NAMED.replace("e.c", ".c")))
    (folder / "log.sym").write_text("param a init -1\nminimize log(a)^2\n")
    (folder / "inner").mkdir()
    (folder / "inner" / "functions.sym").write_text("def square(x) = x^2\n")
    (folder / "inner" / "bad_functions.sym").write_text("def f(x) = y\n")
    (folder / "inner" / "uses.sym").write_text(
        'import "functions.sym"\nparam a init 1\nminimize square(a - 3)\n'
        "expect a == 3 within 1e-6\n"
    )
    result = run(folder, "-v", "-rs", "--deselect", "line.sym")
    text = result.stdout
    assert result.returncode == 1
    assert "Traceback" not in text and "symopt/" not in text

    outcomes = dict(re.findall(r"^(\S+\.sym::.*?) (PASSED|FAILED|SKIPPED)", text, re.MULTILINE))
    failed = {name for name, outcome in outcomes.items() if outcome == "FAILED"}
    assert failed == {
        "wrong.sym::expect slope == 1.98 within 1e-9",
        "broken.sym::parses",
        "nodata.sym::expect finite",
        "nodata.sym::expect minimum == 0.099 within 1e-9",
        "nodata.sym::expect slope == 1.99 within 1e-9",
        "nofile.sym::derivatives",
        "nofile.sym::finite",
        "nofile.sym::expect finite",
        "nofile.sym::expect minimum == 0.099 within 1e-9",
        "nofile.sym::expect slope == 1.99 within 1e-9",
        "log.sym::derivatives",  # no point near the start is finite
        "log.sym::finite",
        "inner/bad_functions.sym::parses",
    }
    assert outcomes["nodata.sym::derivatives"] == "PASSED"  # with random data
    assert outcomes["nodata.sym::finite"] == "SKIPPED"
    assert outcomes["inner/functions.sym::parses"] == "PASSED"
    assert [name for name in outcomes if name.startswith(("inner/f", "broken"))] == [
        "broken.sym::parses",
        "inner/functions.sym::parses",
    ]

    assert WRONG in text
    assert "broken.sym:2:1: error: no statement begins with `minimise`" in text
    assert "broken.sym:3:5: error: `q` is not defined" in text
    assert "error: there is no data for `x`, `y`" in text
    assert "help: put it into nodata.csv (or nodata.tsv" in text
    assert "there is no file `lin.csv`" in text and "help: did you mean `line.csv`?" in text
    assert "log.sym: the start is not finite: `log(a)` at 2:10" in text
    assert "bad_functions.sym:1:12: error: `y` is not defined" in text
    assert "random data says nothing about the start" in text


NAMED = 'data x[n], y[n] from "line.csv"'
WRONG = """\
wrong.sym:6:1: error: found 1.99, which is 0.01 away; 1.98e-09 would be allowed
    6 | expect slope == 1.98 within 1e-9
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  note: the fit: lm, converged after 1 iteration"""


def test_items_are_chosen_and_listed(folder: Path) -> None:
    listed = run(folder, "--collect-only", "-q").stdout
    assert "line.sym::expect slope == 1.99 within 1e-9" in listed
    chosen = run(folder, "line.sym", "-k", "expect and not finite", "-q")
    assert "2 passed, 4 deselected" in chosen.stdout
    by_name = run(folder, "line.sym::expect minimum == 0.099 within 1e-9", "-q")
    assert "1 passed" in by_name.stdout


def test_several_processes(folder: Path) -> None:
    pytest.importorskip("xdist")
    result = run(folder, "-n", "2", "-q", "line.sym")
    assert "6 passed" in result.stdout, result.stdout + result.stderr


def test_repeated_lines_have_names_of_their_own(folder: Path) -> None:
    (folder / "line.sym").write_text(LINE + "expect finite\n")
    listed = run(folder, "--collect-only", "-q").stdout
    assert "line.sym::expect finite (line 4)" in listed
    assert "line.sym::expect finite (line 7)" in listed


def test_functions_are_a_setting(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\nsymopt_functions = grad hess\n")
    assert "1 passed" in run(folder, "line.sym", "-k", "derivatives", "-q").stdout
    (folder / "pytest.ini").write_text("[pytest]\nsymopt_functions = gard\n")
    result = run(folder, "line.sym", "-k", "derivatives", "-q")
    assert "there is no check of a function `gard`" in result.stdout


@pytest.mark.skipif(not REGISTERED, reason="the plugin is not installed here, only named")
def test_the_plugin_can_be_left_out(folder: Path) -> None:
    assert "no tests ran" in run(folder, "-p", "no:symopt").stdout


def test_the_plugin_imports_nothing_until_it_is_needed() -> None:
    code = (
        "import sys, symopt.pytest_plugin\n"
        "print([m for m in ('numpy', 'sympy', 'scipy', 'llvmlite', 'lark') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_all_examples_are_collected() -> None:
    programs = {str(p.relative_to(ROOT)) for p in (ROOT / "examples").rglob("*.sym")}
    listed = run(ROOT, "examples", "--collect-only", "-q", "-o", "addopts=").stdout
    assert {line.split("::")[0] for line in listed.splitlines() if "::" in line} == programs


def test_the_programs_of_our_tests_are_not(tmp_path: Path) -> None:
    listed = run(ROOT, "tests/programs", "--collect-only", "-q", "-o", "addopts=").stdout
    assert ".sym" not in listed


def test_a_nist_example_passes(tmp_path: Path) -> None:
    result = run(ROOT, "examples/nist/misra1a.sym", "-q", "-o", "addopts=")
    assert "7 passed" in result.stdout, result.stdout + result.stderr
