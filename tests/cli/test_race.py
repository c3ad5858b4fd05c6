"""`symopt race`: the table, the plot and exit codes."""

from __future__ import annotations

RACE = ("race", "line.sym", "--data", "points.csv")


def test_the_best_comes_first_with_its_evaluations(run):
    result = run(*RACE, "--methods", "gradient-descent,lm,bfgs")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == [
        "method",
        "value",
        "iterations",
        "values",
        "gradients",
        "Hessians",
        "seconds",
        "stopped",
    ]
    rows = {line[0]: line for line in lines[2:5]}
    assert set(rows) == {"gradient-descent", "lm", "bfgs"}
    values = [float(line[1]) for line in lines[2:5]]
    assert values == sorted(values)


def test_a_plot_of_the_distance_to_the_best(run):
    result = run(*RACE, "--methods", "gradient-descent,lm")
    assert "distance to the best value" in result.stdout
    assert "A gradient-descent  B lm" in result.stdout
    axis = next(line for line in result.stdout.splitlines() if "└" in line)
    assert len(axis) > 40


def test_one_that_cannot_run_says_why(run, folder):
    (folder / "bounded.sym").write_text(
        "data x[n], y[n]\nparam a in [0, 5] init 1\nmodel z[i] = a * x[i]\n"
        "minimize sum((z - y)^2)\n"
    )
    result = run("race", "bounded.sym", "--data", "points.csv", "--methods", "l-bfgs,lm")
    assert result.exit_code == 0
    assert "l-bfgs cannot keep to bounds" in result.stdout


def test_nobody_converged(run):
    result = run(*RACE, "--methods", "lm", "--max-iter", "1")
    assert result.exit_code == 1
    assert "the limit on iterations was reached" in result.stdout


def test_a_misspelt_method_is_refused_before_any_runs(run):
    result = run(*RACE, "--methods", "lm,bgfs")
    assert result.exit_code == 2
    assert "did you mean `bfgs`?" in result.stderr
    assert result.stdout == ""


def test_a_figure_needs_matplotlib(run, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(*RACE, "--methods", "lm", "--plot", "race.svg")
    assert result.exit_code == 2
    assert "pip install 'symopt[plot]'" in result.stderr


def test_values_of_batches_are_in_no_plot(run, folder):
    (folder / "many.sym").write_text(
        "data x[n], y[n]\nparam a init 1\nminimize sum((a * x[i] - y[i])^2 for i)\n"
    )
    (folder / "many.csv").write_text("x,y\n" + "".join(f"{i},{2 * i + i % 3}\n" for i in range(40)))
    found = run(
        "race", "many.sym", "--data", "many.csv", "--methods", "bfgs,sgd", "--max-iter", "50"
    )
    assert "sgd: batches of 32, whose values do not compare" in found.stdout
    assert "A bfgs" in found.stdout
    assert "B sgd" not in found.stdout
