"""`symopt check`: diagnostics and exit codes, the summary, and the stages."""

from __future__ import annotations

import pytest


def test_a_good_program_is_summarised(run):
    result = run("check", "line.sym")
    assert result.exit_code == 0
    assert result.stderr == ""
    for word in ("slope", "offset", "x", "y", "n"):
        assert word in result.stdout


@pytest.mark.parametrize("stage", ["statements", "graph", "loops", "llvm"])
def test_stages_are_shown(run, stage):
    result = run("check", "line.sym", "--show", stage)
    assert result.exit_code == 0
    assert result.stdout.count("\n") > 1


def test_five_independent_mistakes_are_five_reports(run, program):
    path = program(
        "data x[n], y[n]\n"
        "param a init 1, b init 1\n"
        "f[i] = aa * x[i]\n"
        "g[i] = b * yy[i]\n"
        "h[i] = expp(x[i])\n"
        "q[i] = x[i, i]\n"
        "residual r[i] = y[i] - zz\n"
    )
    result = run("check", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    places = [line.split(": ")[0] for line in result.stderr.splitlines() if ": error: " in line]
    assert [place.split(":")[1] for place in places] == ["3", "4", "5", "6", "7"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "minimize"),
        ("param w init 0\nminimize (w\n", "error:"),
        ("param w init 0\ny = 2 * z\nz = w\nminimize y + z\n", "z"),
        ("param w init 0\nminimize w^2\nminimize w\n", "minimize"),
    ],
    ids=["empty", "open bracket", "use before definition", "two objectives"],
)
def test_programs_with_errors(run, program, text, words):
    result = run("check", program(text))
    assert result.exit_code == 1
    assert "program.sym:" in result.stderr
    assert words in result.stderr


def test_deep_nesting_is_no_crash(run, program):
    depth = 10_000
    result = run("check", program(f"param w init 0\nminimize {'(' * depth}w^2{')' * depth}\n"))
    assert result.exit_code in (0, 1)


def test_huge_powers_are_infinite_at_once(run, program):
    path = program("param w init 0\nminimize w^2 + 1 / 9^9^9^9\n")
    assert run("check", path).exit_code == 0
    assert run("eval", path, "value", "--param", "w=3").stdout == "value = 9.0\n"


@pytest.mark.parametrize("source", ["file", "standard input"])
def test_random_bytes_are_no_program(run, folder, rng, source):
    content = rng.bytes(1_000_000)
    (folder / "bytes.sym").write_bytes(content)
    result = run("check", "bytes.sym") if source == "file" else run("check", "-", stdin=content)
    assert result.exit_code == 1
    assert "error:" in result.stderr
    assert len(result.stderr) < 10_000


def test_files_and_expectations_are_summarised(run, program):
    text = 'data x[n] "seen" from "points.csv"\nparam a init 1\nminimize sumsq(x - a)\n'
    lines = run("check", program(text + "expect finite\nexpect  a==4 within 1e-6\n")).stdout
    assert 'data x: (n,)  "seen"  from "points.csv"' in lines
    assert lines.endswith("cut: none\nexpect finite\nexpect a==4 within 1e-6\n")
