"""Every example of the README of examples/ runs as documented there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from symopt.cli.main import main

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
COMMANDS = re.findall(r"`(symopt fit [^`]+)`", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
PAGES = ROOT / "docs" / "reproductions"
REPRODUCTIONS = sorted(path.parent for path in (EXAMPLES / "reproductions").glob("*/__main__.py"))
CERTIFIED = json.loads((EXAMPLES / "nist" / "certified.json").read_text())


def fit(command, *options):
    words = shlex.split(command)[1:]
    result = CliRunner().invoke(main, [*words, *options, "--quiet", "--json", "-"])
    return result, json.loads(result.stdout) if result.stdout else None


def test_every_program_has_a_documented_command():
    documented = {word for command in COMMANDS for word in command.split() if ".sym" in word}
    others = {str(path.relative_to(ROOT)) for path in EXAMPLES.rglob("*.sym")} - documented
    folders = {Path(path).parent for path in others}
    assert folders <= {Path("examples/nist"), *(path.relative_to(ROOT) for path in REPRODUCTIONS)}


def test_every_reproduction_has_a_command_and_a_page():
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    assert REPRODUCTIONS
    for path in REPRODUCTIONS:
        assert f"`python -m examples.reproductions.{path.name}`" in readme
        assert f"]({path.name}.md)" in index
        assert f"python -m examples.reproductions.{path.name}" in (
            PAGES / f"{path.name}.md"
        ).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [c for c in COMMANDS if "--max-iter" not in c])
def test_the_documented_command_converges(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    result, document = fit(command)
    assert result.exit_code == 0, result.stderr
    assert document["success"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if "--max-iter" in c])
def test_a_documented_command_with_a_limit_makes_progress(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    objectives = [fit(command, "--max-iter", str(limit))[1]["objective"] for limit in (0, 5)]
    assert objectives[1] < objectives[0]


@pytest.mark.parametrize("problem", CERTIFIED, ids=lambda problem: problem["name"])
def test_nist_problems_reach_the_certified_values(problem, monkeypatch):
    monkeypatch.chdir(EXAMPLES / "nist")
    name = problem["name"].lower()
    result, document = fit(f"symopt fit {name}.sym --data {name}.csv")
    assert result.exit_code == 0, result.stderr
    found = np.array(list(document["params"].values()))
    # The certified values have 11 digits; 6 is what every start must reach.
    np.testing.assert_allclose(found, problem["certified"], rtol=1e-6)
