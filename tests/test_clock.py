"""Laps add up to the time since the start."""

from __future__ import annotations

import time

from symopt.clock import Clock


def test_laps_add_up() -> None:
    before = time.perf_counter()
    clock = Clock()
    for name in ("derive", "schedule", "emit"):
        clock.lap(name)
    total = time.perf_counter() - before
    assert list(clock.seconds) == ["derive", "schedule", "emit"]
    assert all(seconds >= 0 for seconds in clock.seconds.values())
    assert sum(clock.seconds.values()) <= total


def test_a_lap_is_what_passed_since_the_last() -> None:
    clock = Clock()
    clock.lap("before")
    time.sleep(0.01)
    clock.lap("asleep")
    clock.lap("after")
    assert clock.seconds["asleep"] >= 0.01  # a sleep is never shorter than asked for
    assert clock.seconds["after"] < clock.seconds["asleep"]
