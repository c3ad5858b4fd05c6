"""Constants and structure of the IR text."""

from __future__ import annotations

import struct

import pytest

from symopt.native.text import FunctionText, Value, double_text


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, 5e-324, 1.7e308, float("inf"), float("nan")])
def test_doubles_keep_every_bit(value: float) -> None:
    bits = struct.pack(">Q", int(double_text(value), 16))
    assert bits == struct.pack(">d", value)


def test_operands_of_different_width_are_widened() -> None:
    text = FunctionText(4)
    total = text.operate("fadd", Value("%a", "double", True), text.number(1.0), flags="nsz")
    assert total.wide
    assert text.lines[-1].endswith(f"fadd nsz <4 x double> %a, {text.lines[1].split()[0]}")


def test_one_lane_has_no_vectors() -> None:
    text = FunctionText(1)
    text.operate("fadd", Value("%a", "double", True), text.number(1.0))
    assert "<" not in "".join(text.lines)


def test_library_calls_go_lane_by_lane() -> None:
    text = FunctionText(4)
    text.library_call("log1p", Value("%a", "double", True))
    assert sum("call double @log1p" in line for line in text.lines) == 4
    assert list(text.declarations) == ["@log1p"]


def test_loops_close_their_blocks() -> None:
    text = FunctionText(1)
    with (
        text.loop(text.integer(0), Value("%n", "i64")) as outer,
        text.loop(outer, Value("%n", "i64")),
    ):
        pass
    labels = [line[:-1] for line in text.lines if line.endswith(":")]
    targets = {
        word.rstrip(",")[1:]
        for line in text.lines
        if " br " in line
        for word in line.split()
        if word.startswith("%b")
    }
    assert len(labels) == len(set(labels)) == 6
    assert targets == set(labels)
