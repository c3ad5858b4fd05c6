"""Derivatives made wrong on purpose."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES


@pytest.fixture
def wrong():
    """`with wrong("log", 1.5):` the partials of a primitive are that many times what they are."""

    @contextmanager
    def wrong(name, factor):
        record = PRIMITIVES[name]
        right = record.partials
        scaled = Constant(factor)
        object.__setattr__(
            record, "partials", lambda *a: tuple(scaled * part for part in right(*a))
        )
        try:
            yield
        finally:
            object.__setattr__(record, "partials", right)

    return wrong
