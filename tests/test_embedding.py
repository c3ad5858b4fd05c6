"""Pages on embedding and testing: commands print what they say, code is that of the examples."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

ROOT = Path(__file__).parents[1]
PAGES = ("docs/embedding.md", "docs/testing.md", "examples/embedding/README.md", "README.md")
EXAMPLES = ("embedding", "logistic", "nist", "data")  # folders that the commands read
NEEDED = ("cc", "c++", "cmake", "pkg-config")  # tools that a machine may lack


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and what the page says that it prints."""

    page: str
    line: int
    text: str
    output: str

    @property
    def tools(self) -> set[str]:
        """The programs among those that a machine may lack."""
        words = re.findall(r"[\w+-]+", self.text)
        return {word for word in words if word in NEEDED}


def commands(page: str) -> Iterator[Command]:
    """Those of all blocks marked `console`: lines after `$`, each with the lines that follow."""
    inside, found, text = False, [], (ROOT / page).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside:
            found[-1][2].append(line)
    for number, command, lines in found:
        yield Command(page, number, command, "\n".join(lines))


ALL = [command for page in PAGES for command in commands(page)]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each page, with copies of the examples and `symopt` among the programs."""
    found: dict[str, Path] = {}
    for page in PAGES:
        folder = found[page] = tmp_path_factory.mktemp("page")
        for name in EXAMPLES:
            shutil.copytree(ROOT / "examples" / name, folder / "examples" / name)
        (folder / "bin").mkdir()
        _write_program(
            folder / "bin" / "symopt", "-m symopt", f"PYTHONPATH={shlex.quote(str(ROOT))}"
        )
        _write_program(folder / "bin" / "python", "", "")
        _write_program(folder / "bin" / "pytest", "-m pytest -p no:cacheprovider", "")
    return found


def _write_program(path: Path, arguments: str, variables: str) -> None:
    words = f"{variables} exec {shlex.quote(sys.executable)} {arguments}"
    path.write_text(f'#!/bin/sh\n{words.strip()} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def printed(places: dict[str, Path]) -> dict[Command, str]:
    """What the commands of all pages print, one after another; those that cannot run left out."""
    found: dict[Command, str] = {}
    variables: dict[str, list[str]] = {page: [] for page in PAGES}
    for command in ALL:
        if command.text.startswith("export "):
            variables[command.page].append(command.text)
            found[command] = ""
        elif all(map(shutil.which, command.tools)):
            script = "\n".join([*variables[command.page], command.text])
            found[command] = _run(script, places[command.page])
    return found


def _run(script: str, folder: Path) -> str:
    """What a script prints; where it fails, first how."""
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    words = ["sh", "-c", script]
    run = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    failed = f"{_FAILED} {run.returncode}\n{run.stderr}" if run.returncode else ""
    return (failed + run.stdout).rstrip("\n")


_FAILED = "exit code"


def _named(command: Command) -> str:
    return f"{command.page}:{command.line}"


@pytest.mark.parametrize("command", ALL, ids=_named)
def test_commands_print_what_the_page_says(command: Command, printed: dict[Command, str]) -> None:
    missing = [tool for tool in sorted(command.tools) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    if command not in printed or _not_built(printed[command]):
        pytest.skip("runs what a missing tool would have built")
    assert not printed[command].startswith(_FAILED), f"{command.text}\n{printed[command]}"
    pattern = _pattern(command.output)
    assert re.fullmatch(pattern, printed[command]), f"{command.text}\n{printed[command]}"


def _not_built(output: str) -> bool:
    """Whether a program is missing because the compiler of it is."""
    return output.startswith(f"{_FAILED} 127") and not all(map(shutil.which, NEEDED))


def _pattern(output: str) -> str:
    """What may be printed: `...` stands for anything, on a line of its own for any lines."""
    lines = output.split("\n")
    texts = [r"(.*\n)*.*" if line == "..." else _line(line) for line in lines]
    return "\n".join(texts)


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.split("...")))


@pytest.mark.parametrize(
    ("output", "text", "same"),
    [
        ("a\nb", "a\nb", True),
        ("a\nb", "a\nc", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...", "b\na", False),
        ("... passed...in ...", "12 passed in 0.1s", True),
        ("... passed...in ...", "1 failed in 0.1s", False),
        ("", "an error", False),
    ],
)
def test_what_is_compared(output: str, text: str, same: bool) -> None:
    assert bool(re.fullmatch(_pattern(output), text)) == same


def test_pages_have_commands() -> None:
    assert {command.page for command in ALL} == set(PAGES)


@pytest.mark.parametrize("page", [PAGES[0], PAGES[2]])
def test_code_on_pages_is_that_of_the_examples(page: str, places: dict[str, Path], printed) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    files = [*(ROOT / "examples" / "embedding").iterdir(), *(places[page] / "build").glob("*.h")]
    known = [file.read_text(encoding="utf-8") for file in files]
    for kind, code in re.findall(r"^```(c|cpp|cmake|python)\n(.*?)^```", text, re.S | re.M):
        assert any(code in one for one in known), (
            f"{kind} in no example:\n{textwrap.indent(code, '  ')}"
        )


def test_the_answer_of_the_logistic_examples() -> None:
    """By SciPy, from the formula of the loss."""
    rows = np.loadtxt(ROOT / "examples/data/iris.csv", delimiter=",", skiprows=1)
    X, y = np.column_stack([rows[:, :4], np.ones(len(rows))]), rows[:, 4] == 1

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        z = X @ p
        slope = X.T @ (1 / (1 + np.exp(-z)) - y) / len(y)
        penalty = 1e-3 * np.append(p[:4], 0)
        return float(np.mean(np.logaddexp(0, z) - y * z) + penalty @ p / 2), slope + penalty

    found = minimize(loss, np.zeros(5), jac=True, method="BFGS", options={"gtol": 1e-9})
    assert f"{found.fun:.10f}" == "0.4933252822"
    wanted = [-0.201103, -2.660122, 1.088864, -2.239277, 6.923251]
    np.testing.assert_allclose(found.x, wanted, rtol=0, atol=1e-6)
