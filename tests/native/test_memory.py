"""Memory beside the data, and elements at hand, which are not read from it again."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import symopt
from symopt.loops.program import SAMPLE, Buffer, Kernel, Pass, Phase, Storage
from symopt.native.memory import Memory
from symopt.native.text import FunctionText, Value
from symopt.types import Entry, Range, atom, constant, dim, index
from tests.support.agreement import model_of
from tests.support.kernels import LANES
from tests.support.memory import extra_memory

PROGRAM = """\
data x[n], y[n]
param a init 1, b init -0.5
residual r[i] = y[i] - a * exp(b * x[i])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_a_gradient_over_a_million_samples() -> None:
    """16 MB of data; a single stored intermediate would be 8 MB."""
    assert extra_memory(1_000_000) < 6.4e6


def test_one_kernel_serves_all_sizes() -> None:
    model = symopt.parse(PROGRAM)
    compiled = model.compiled("grad")
    text = compiled.ir
    for n in (0, 100, 100_000):
        problem = model.bind(x=np.zeros(n), y=np.ones(n))
        # At x = 0 and a = 1 all residuals are 0.
        assert not problem.grad(problem.x0).any()
        assert model.compiled("grad") is compiled
    assert symopt.parse(PROGRAM).compiled("grad").ir == text


# ── elements at hand ─────────────────────────────────────────────────────────────────────────

N, SAMPLE_INDEX = dim("n"), index(SAMPLE)
LOOP = Range(SAMPLE, constant(0), N)
THREE = (constant(3),)


def _memory(*registers: str) -> Memory:
    """In a block of eight samples."""
    buffers = {
        buffer.name: buffer
        for buffer in (
            Buffer("x", (N,), Storage.GIVEN),
            Buffer("c", (N,), Storage.GIVEN, integers=True),
            Buffer("w", (N,), Storage.WORKSPACE),
            Buffer("t", THREE, Storage.LOCAL),
            Buffer("u", THREE, Storage.TILE),
        )
    }
    node = Pass(LOOP, 8, 4, (Phase((), ()),))
    kernel = Kernel("f", (node,), buffers, (), ("n",))
    arguments = {name: f"%{name}" for name in kernel.arguments}
    memory = Memory(FunctionText(1), kernel, arguments)
    memory.open_registers()
    memory.registers, memory.blocks = frozenset(registers), 4
    memory.open_block(node, Value("%s", "i64"), Value("%start", "i64"), Value("%n", "i64"))
    return memory


def _loads(memory: Memory) -> int:
    return sum(" load " in line or "masked.load" in line for line in memory.text.lines)


def test_an_element_is_read_once() -> None:
    memory = _memory()
    first = memory.load("x", (SAMPLE_INDEX,))
    count = _loads(memory)
    assert memory.load("x", (SAMPLE_INDEX,)) is first
    assert _loads(memory) == count
    assert memory.load("x", (SAMPLE_INDEX + 1,)) is not first


@pytest.mark.parametrize("name", ["t", "u"])
def test_what_was_stored_is_at_hand(name: str) -> None:
    memory = _memory()
    value = memory.text.widen(memory.text.number(1.5))
    memory.store(name, (constant(1),), value)
    before = _loads(memory)
    assert memory.load(name, (constant(1),)) == value
    assert _loads(memory) == before
    assert any(line.startswith("  store <8 x double>") for line in memory.text.lines)
    memory.load(name, (constant(2),))
    assert _loads(memory) == before + 1


def test_a_store_at_an_unknown_place_makes_all_others_unknown() -> None:
    memory = _memory()
    value = memory.text.widen(memory.text.number(1.5))
    memory.store("t", (constant(1),), value)
    chosen = atom(Entry("c", (SAMPLE_INDEX,)))
    memory.store("t", (chosen,), value)
    before = _loads(memory)
    memory.load("t", (constant(1),))
    assert _loads(memory) == before + 1


def test_loops_keep_what_they_cannot_change() -> None:
    """Given data and registers; what a loop reads itself is gone after it."""
    memory = _memory("t")
    given = memory.load("x", (SAMPLE_INDEX,))
    held = memory.text.widen(memory.text.number(1.5))
    memory.store("t", (constant(0),), held)
    memory.store("w", (SAMPLE_INDEX,), held)
    with memory.loop(memory.text.integer(0), Value("%n", "i64")) as number:
        memory.integers.indices["j"] = number
        assert memory.load("x", (SAMPLE_INDEX,)) is given
        assert memory.load("t", (constant(0),)) == held
        before = _loads(memory)
        memory.load("w", (SAMPLE_INDEX,))
        assert _loads(memory) > before
        inside = memory.load("x", (index("j"),))
        assert memory.load("x", (index("j"),)) is inside
    with memory.loop(memory.text.integer(0), Value("%n", "i64")) as number:
        memory.integers.indices["j"] = number
        assert memory.load("x", (index("j"),)) is not inside


def test_registers_never_touch_memory() -> None:
    memory = _memory("t")
    value = memory.text.widen(memory.text.number(1.5))
    lines = list(memory.text.lines)
    memory.store("t", (constant(1),), value)
    assert memory.load("t", (constant(1),)) == value
    assert memory.text.lines == lines
    memory.flush("t")
    assert sum(line.startswith("  store <8 x double>") for line in memory.text.lines) == 1


def test_a_register_is_picked_by_comparing() -> None:
    """Lane by lane: among as many registers as there are, and each for itself."""
    memory = _memory("t")
    memory.set_all(memory.kernel.buffers["t"], memory.text.number(0.0))
    chosen = atom(Entry("c", (SAMPLE_INDEX,)))
    memory.load("t", (chosen,))
    assert sum("icmp eq <8 x i64>" in line for line in memory.text.lines) == 3
    before = [memory.load("t", (constant(k),)) for k in range(3)]
    memory.store("t", (chosen,), memory.text.widen(memory.text.number(2.0)))
    after = [memory.load("t", (constant(k),)) for k in range(3)]
    assert not set(before) & set(after)
    assert not any("store <8 x double>" in line for line in memory.text.lines)


def test_a_register_that_was_never_set_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="read before it is set"):
        _memory("t").load("t", (constant(1),))


PICKED = """\
dim k = {k}
data x[n], label[n] in k
param b[k] init 0
z[i, a] = sin(x[i] * b[a])
s[i, a] = z[i, a]^2 for a in k
s2[i, label[i]] += z[i, label[i]] * x[i]
s2[i, a] += s[i, a]
minimize sum(s2[i, a] * (a + 1) for i, a) + sum(s2[i, label[i]] for i)
"""


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("k", [1, 3, 16, 17])
def test_elements_picked_by_the_sample(k: int, lanes: int) -> None:
    """Up to 16 in registers, more of them in memory."""
    rng = np.random.default_rng(k)
    model, b = model_of(PICKED.format(k=k), lanes), rng.normal(size=k)
    for n in (1, 8, 13):
        x, label = rng.normal(size=n), rng.integers(0, k, n)
        z = np.sin(np.outer(x, b))
        s = z**2
        s[np.arange(n), label] += z[np.arange(n), label] * x
        wanted = (s @ np.arange(1, k + 1)).sum() + s[np.arange(n), label].sum()
        assert model.bind(x=x, label=label).value(b) == pytest.approx(wanted, rel=1e-12)
