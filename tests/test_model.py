"""Models: what a loaded program says about itself, and how data is given to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symopt

LINE = """\
data x[n], y[n]
param slope init 1 "rise", offset init 0
model f[i] = offset + slope * x[i]
residual r[i] = y[i] - f[i]
report top = max(f[i] for i)
"""


@pytest.fixture(scope="module")
def line() -> symopt.Model:
    return symopt.parse(LINE)


def test_a_model_describes_itself(line):
    assert line.source == LINE
    assert list(line.params) == ["slope", "offset"]
    assert line.params["slope"].description == "rise"
    assert list(line.data) == ["x", "y"]
    assert list(line.dims) == ["n"]
    assert line.definitions == ("f", "r", "top")
    assert line.reports == ("top",)
    assert line.cut == ("r",)
    assert not line.maximize
    assert not line.warnings


def test_load_reads_a_file_and_names_it(tmp_path: Path):
    path = tmp_path / "line.sym"
    path.write_text(LINE)
    assert symopt.load(path).name == str(path)
    (tmp_path / "bad.sym").write_text("minimize q")
    with pytest.raises(symopt.ParseError, match=r"bad\.sym:1:10: error: `q` is not defined"):
        symopt.load(tmp_path / "bad.sym")


def test_data_by_keyword_mapping_and_frame(line):
    pandas = pytest.importorskip("pandas")
    x, y = np.arange(4.0), np.array([1.0, 3.0, 5.0, 7.5])
    by_keyword = line.bind(x=x, y=y)
    by_mapping = line.bind({"x": x.tolist(), "y": y.astype(np.float32)})
    frame = pandas.DataFrame({"y": y, "x": x, "label": list("abcd")})
    by_frame = line.bind(frame)
    values = {problem.value([2.0, 1.0]) for problem in (by_keyword, by_mapping, by_frame)}
    assert values == {0.25}
    assert line.bind({"x": x}, y=y, n=4).value([2.0, 1.0]) == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": [1, 2], "y": [1, 2], "n": 3}, "axis 0 of `x` must have size n = 3"),
        ({"x": [1, 2], "y": [1, 2], "n": 2.5}, "dim `n` must be a whole number, found 2.5"),
        ({"x": [1, 2], "y": [1, 2], "dtype": "float16"}, "can be 'float64' or 'float32'"),
        ({"x": [1, 2], "y": [1, 2], "threads": 2}, "threads=2 is not supported"),
        ({"x": [1, 2], "y": [1, 2], "z": 1}, "`z` is not data or a dim"),
    ],
)
def test_what_does_not_fit_is_refused(line, arguments, message):
    with pytest.raises(symopt.DataError, match=message):
        line.bind(**arguments)


def test_positional_data_must_have_names(line):
    with pytest.raises(symopt.DataError, match="must be a mapping of arrays by name"):
        line.bind([1, 2, 3])


def test_every_stage_can_be_shown(line):
    assert "r[i] = " in line.show("statements", "value")
    assert "pass sample in range(n)" in line.show("loops")
    assert "define void @symopt_value_and_grad(ptr %table)" in line.show("llvm")


def test_importing_symopt_imports_no_compiler():
    """`import symopt` is for every script; SymPy and LLVM come with the first model."""
    code = (
        "import sys, symopt;"
        "print([m for m in ('sympy', 'llvmlite', 'lark', 'scipy', 'numpy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
