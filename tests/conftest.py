"""Fixtures for all tests: seeded chance, and expected texts kept in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# Before NumPy: the threads of BLAS in several test processes wait for each other, busily, and
# make solves of a few hundred unknowns a hundred times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Tests see what is compiled now, also in processes that they start, and leave the user no files.
os.environ["SYMOPT_CACHE"] = "off"

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden"

# Many of the programs here are wrong on purpose: tests read them, the plugin does not.
collect_ignore_glob = ["*.sym"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what was printed to the files of expected texts",
    )


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20240229)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with `tests/golden/NAME`; `--update-golden` accepts what is new."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no expected text {path}: run with --update-golden, then review it"
        assert text == path.read_text(encoding="utf-8")

    return compare
