"""Running the command line in the tests' own process, in a folder of its own."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from symopt.cli.main import main

LINE = """\
data x[n], y[n]
param slope init 1 "rise per unit"
param offset init 0
model f[i] = offset + slope * x[i]
residual r[i] = y[i] - f[i]
report middle = offset + slope * 2
"""
POINTS = "x,y\n0,1\n1,2.9\n2,5.1\n3,7.2\n4,8.8\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder with a straight line (`line.sym`) and its points."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    (tmp_path / "line.sym").write_text(LINE)
    (tmp_path / "points.csv").write_text(POINTS)
    return tmp_path


@pytest.fixture
def run(folder):
    """Runs a command; the result has `exit_code`, `stdout` and `stderr`."""

    def run(*arguments, stdin=None):
        result = CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture
def program(folder):
    """Writes a program to a file."""

    def write(text, name="program.sym"):
        (folder / name).write_text(text)
        return name

    return write
