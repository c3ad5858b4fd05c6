"""The example of a bundle adjustment, against published numbers of its file."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import symopt

EXAMPLE = Path(__file__).parents[3] / "examples" / "bundle-adjustment"
INITIAL = 850912.4606808407  # half the sum of squares, as quoted for the file (8.5091e+05)
FIRST = [-9.020226301243156, 11.263958304987227, -1.833229714946924, 5.304698960898122]
BEST = 13344.24032  # the lowest that is known


@pytest.fixture(scope="module")
def ladybug():
    read = runpy.run_path(str(EXAMPLE / "ladybug.py"))["read"]
    return symopt.load(EXAMPLE / "dubrovnik.sym").bind(read(EXAMPLE / "ladybug.txt.gz"))


def test_the_file_is_read_as_published(ladybug):
    assert ladybug.n == 23769
    assert ladybug.value(ladybug.x0) / 2 == pytest.approx(INITIAL, rel=1e-12)
    across, up = np.split(ladybug.residuals(ladybug.x0), 2)
    np.testing.assert_allclose(np.stack([across, up], axis=1).ravel()[:4], FIRST, rtol=1e-9)


def test_within_one_percent_of_the_best_known_cost(ladybug):
    """An independent implementation takes about 20 steps to 13345."""
    for at in symopt.iterate(ladybug, "lm", max_iter=25):
        if at.fun / 2 <= 1.01 * BEST:
            break
    assert at.fun / 2 <= 1.01 * BEST
    assert at.state.remark == (
        "lm with block elimination of point (7776 blocks of 3), reduced system 441"
    )
