"""Documents for machines: digits, what is not finite, and files that appear whole."""

from __future__ import annotations

import json
import stat

import click
import numpy as np
import pytest

from symopt.cli.result_file import encode, write_json, write_trace


def test_numbers_keep_every_digit_and_their_shape(tmp_path, rng):
    values = rng.standard_normal((3, 4)) * 1e-200
    path = tmp_path / "r.json"
    write_json(str(path), {"a": values, "b": np.float64(0.1), "n": np.int64(3), "t": (True, None)})
    document = json.loads(path.read_text())
    assert document == {"a": values.tolist(), "b": 0.1, "n": 3, "t": [True, None]}


def test_what_is_not_finite_is_a_word_that_float_reads(tmp_path):
    words = encode(np.array([np.nan, np.inf, -np.inf, 1.0]))
    assert words == ["NaN", "Infinity", "-Infinity", 1.0]
    np.testing.assert_array_equal([float(word) for word in words], [np.nan, np.inf, -np.inf, 1.0])


def test_a_trace_is_a_table(tmp_path):
    trace = np.array([(0, 2.5), (1, 0.1)], dtype=[("iteration", int), ("value", float)])
    write_trace(str(tmp_path / "t.csv"), trace)
    assert (tmp_path / "t.csv").read_text() == "iteration,value\n0,2.5\n1,0.1\n"


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("old")
    write_json(str(path), {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json(str(path), {"a": object()})
    with pytest.raises(click.ClickException):
        write_json(str(tmp_path / "no" / "r.json"), {"a": 1})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
