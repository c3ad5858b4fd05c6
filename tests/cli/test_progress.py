"""Watching a run: Ctrl-C is a wish to stop, a second one an interrupt."""

from __future__ import annotations

import signal

import pytest
from scipy.optimize import OptimizeResult

from symopt.cli.progress import Watch

STEP = OptimizeResult(x=None, fun=1.0, nit=1)


def test_the_first_interrupt_ends_the_run_at_the_next_step():
    with Watch("fit", quiet=True) as watch:
        watch(STEP)
        signal.raise_signal(signal.SIGINT)
        assert watch.interrupted
        with pytest.raises(StopIteration):
            watch(STEP)


def test_a_second_interrupt_is_an_ordinary_one():
    with pytest.raises(KeyboardInterrupt), Watch("fit", quiet=True):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_the_handler_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with Watch("fit", quiet=True):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
