"""A gradient over ten million samples needs no more than the data and a little."""

from __future__ import annotations

import pytest

from tests.support.memory import extra_memory


@pytest.mark.parametrize("n", [100_000, 1_000_000, 10_000_000])
def test_memory_of_a_gradient(n: int) -> None:
    extra = extra_memory(n)
    print(f"\nn = {n:>10,}: {16 * n / 2**20:6.1f} MB of data, {extra / 2**20:6.1f} MB more")
    assert extra <= 64 * 2**20
