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


# ── value numbering ──────────────────────────────────────────────────────────────────────────

A, B, N = Value("%a", "double", True), Value("%b", "double", True), Value("%n", "i64")


def test_an_instruction_at_hand_is_not_repeated() -> None:
    text = FunctionText(8)
    first = text.operate("fadd", A, B)
    assert text.operate("fadd", A, B) is first
    assert len(text.lines) == 1
    assert text.operate("fadd", A, B, flags="nsz") is not first
    assert text.operate("fadd", B, A) is not first
    assert text.select(text.compare("fcmp olt", A, B), A, B) is text.select(
        text.compare("fcmp olt", A, B), A, B
    )


def test_operands_are_widened_once() -> None:
    text = FunctionText(8)
    one = text.number(1.0)
    text.operate("fadd", A, one)
    text.operate("fmul", A, one)
    assert sum("insertelement" in line for line in text.lines) == 1


def test_another_number_of_lanes_is_another_value() -> None:
    text = FunctionText(8)
    vector = text.operate("fadd", A, B)
    text.lanes = 1
    assert text.operate("fadd", A, B) is not vector
    text.lanes = 8
    assert text.operate("fadd", A, B) is vector


def test_memory_is_read_every_time() -> None:
    text = FunctionText(8)
    loads = {
        text.load("%p", "double", True).text,
        text.load("%p", "double", True).text,
        text.load_block("%p", "double", Value("%m", "i1", True), A).text,
        text.load_block("%p", "double", Value("%m", "i1", True), A).text,
        text.load_part("%p", "double", 4).text,
        text.load_part("%p", "double", 4).text,
    }
    assert len(loads) == 6


def test_what_a_loop_computes_is_not_at_hand_after_it() -> None:
    """It may have run for no index at all."""
    text = FunctionText(8)
    before = text.operate("fadd", A, B)
    with text.loop(text.integer(0), N):
        assert text.operate("fadd", A, B) is before
        inside = text.operate("fmul", A, B)
        assert text.operate("fmul", A, B) is inside
        with text.loop(text.integer(0), N):
            assert text.operate("fmul", A, B) is inside
            deep = text.operate("fsub", A, B)
        assert text.operate("fsub", A, B) is not deep
    assert text.operate("fmul", A, B) is not inside
    assert text.operate("fadd", A, B) is before


def test_what_the_head_of_a_loop_computes_is_at_hand_after_it() -> None:
    """The test for the end is made at least once."""
    text = FunctionText(1)
    with text.loop(text.integer(0), N) as number:
        pass
    assert (
        text.lines.count(f"  {text.compare('icmp slt', number, N).text} = icmp slt i64 %i1, %n")
        == 1
    )


def test_what_is_rare_is_not_at_hand_after_it() -> None:
    text = FunctionText(8)
    usual, rare = text.operate("fadd", A, B), list[Value]()

    def other() -> Value:
        assert text.operate("fadd", A, B) is usual
        rare.append(text.operate("fdiv", A, B))
        return rare[0]

    condition = text.compare("fcmp ogt", A, B)
    first = text.rarely(condition, usual, other)
    assert text.operate("fdiv", A, B) is not rare[0]
    assert text.compare("fcmp ogt", A, B) is condition
    assert text.rarely(condition, usual, other) is not first


def test_functions_of_our_own_are_written_once() -> None:
    text = FunctionText(8)

    def square(inner: FunctionText, x: Value) -> Value:
        return inner.operate("fmul", x, x)

    first = text.call_own("square", A, square)
    assert text.call_own("square", A, square) is first
    assert text.call_own("square", B, square) is not first
    text.lanes = 1
    text.call_own("square", A, square)
    assert list(text.functions) == ["@own_square_8", "@own_square_1"]


def test_parts_of_vectors() -> None:
    text = FunctionText(8)
    low, high = text.load_part("%p", "double", 4), text.load_part("%q", "double", 4)
    whole = text.joined(low, high, 4)
    assert text.lines[-1].endswith("<8 x i32> <" + ", ".join(f"i32 {k}" for k in range(8)) + ">")
    text.padded(text.load_part("%p", "double", 3), 3, 4)
    assert text.lines[-1].endswith("<i32 0, i32 1, i32 2, i32 poison>")
    text.store_part(whole, 4, 3, "%r")
    assert text.lines[-2].endswith("<i32 4, i32 5, i32 6>")
    assert text.lines[-1].startswith("  store <3 x double>")
