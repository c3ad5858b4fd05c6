"""The program itself: help, version, colours, and starting fast."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# So that the tests of a checkout run what is in it, from any folder and also uninstalled.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_help_names_every_command(run):
    result = run("--help")
    assert result.exit_code == 0
    for name in ("fit", "check", "eval", "derive", "methods"):
        assert f"\n  {name} " in result.stdout


@pytest.mark.parametrize("name", ["fit", "check", "eval", "derive", "methods"])
def test_every_command_has_help(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("chek",),
        ("fit",),
        ("fit", "missing.sym"),
        ("fit", "."),
        ("fit", "line.sym", "--unknown"),
        ("fit", "line.sym", "--max-iter", "-1"),
        ("check", "line.sym", "--show", "nothing"),
        ("--color", "perhaps", "methods"),
    ],
)
def test_bad_usage_is_exit_code_2(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error:" in result.stderr
    assert result.stdout == ""


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from symopt.cli.main import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'numpy', 'scipy', 'sympy', 'llvmlite', 'lark', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=ENVIRONMENT)


def test_the_module_is_the_same_program(folder):
    (folder / "bad.sym").write_text("minimize w\n")
    command = [sys.executable, "-m", "symopt", "check", "bad.sym"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert result.returncode == 1
    assert result.stderr.startswith("bad.sym:1:10: error: ")


@pytest.mark.parametrize(
    ("arguments", "environment", "colored"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "auto"), {"NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_or_on_demand(
    run, program, monkeypatch, arguments, environment, colored
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = program("minimize w\n")
    for result in (run(*arguments, "check", path), run("check", path, *arguments)):
        assert ("\33[" in result.stderr) is colored


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_gets_colours_unless_it_asks_for_none(folder, no_color):
    (folder / "bad.sym").write_text("minimize w\n")
    controller, terminal = os.openpty()
    environment = {**ENVIRONMENT, **({"NO_COLOR": "1"} if no_color else {})}
    subprocess.run(
        [sys.executable, "-m", "symopt", "check", "bad.sym"],
        stderr=terminal,
        env=environment,
        check=False,
    )
    os.close(terminal)
    shown = os.read(controller, 10_000)
    os.close(controller)
    assert b"error:" in shown
    assert (b"\33[" in shown) is not no_color
