"""Phases of a pass: loops around the blocks, what they hand on, sums in lots, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from symopt.loops.options import Options
from symopt.loops.phases import in_one_phase, in_phases
from symopt.loops.program import (
    SAMPLE,
    Buffer,
    Fill,
    Kernel,
    Part,
    Pass,
    Phase,
    Storage,
    Update,
    touched,
)
from symopt.loops.verify import verify
from symopt.loops.work import operations, points
from symopt.primitives.record import Constant
from symopt.statements.program import Read
from symopt.types import Integer, Range, constant, dim, index
from tests.support.hand_built import Size, loop, place, read
from tests.support.loops import kernel_for, pass_over, passes

MIXTURE = """\
data x[n, d]
param alpha[K] init 0, mu[K, d] init 0, s[K, d] init 0
q[i, k, a] = exp(s[k, a]) * (x[i, a] - mu[k, a])
minimize sum(logsumexp(alpha[k] - sum(q[i, k, a]^2 for a) / 2 for k) for i)
"""
MIXTURE_SIZES = {"n": 1000, "d": 10, "K": 25}
LAYER = """\
data X[n, d], y[n]
param W[h, d] init 0, v[h] init 0
z[i, a] = sum(X[i, j] * W[a, j] for j)
residual r[i] = sum(tanh(z[i, a]) * v[a] for a) - y[i]
"""
MEANS = """\
data x[n]
param mu[k] init 0
u[i, a] = x[i] - mu[a]
t[i] = logsumexp(-u[i, a]^2 for a)
minimize sum(t[i] + sin(u[i, a]) * exp(t[i] * u[i, a]) for i, a)
"""


def _loops(phase: Phase) -> list[str]:
    return [str(loop.upper) for loop in phase.loops]


def _updates(parts: Iterable[Part]) -> list[Update]:
    return [part for part in parts if isinstance(part, Update)]


def _targets(phase: Phase) -> set[str]:
    return {update.target for update in _updates(phase.body)}


def _mixture(**choices: int) -> tuple[Kernel, Pass]:
    kernel = kernel_for(MIXTURE, MIXTURE_SIZES, **choices)
    return kernel, pass_over(kernel, "n")


def test_a_mixture_runs_over_components_around_the_samples() -> None:
    """Logits; what needs all of them; and back, each component with its own parameters."""
    _, node = _mixture()
    around = [_loops(phase) for phase in node.phases]
    assert around[0] == []  # rows of the samples at hand
    (forward, *_, backward) = (phase for phase in node.phases if _loops(phase) == ["25"])
    assert "q" in _targets(forward) and "q.bar" in _targets(backward)
    assert [] in around[node.phases.index(forward) : node.phases.index(backward)]
    assert all(loops in ([], ["25"]) for loops in around)
    assert node.blocks is not None


def test_what_a_component_needs_for_itself_has_its_size_alone() -> None:
    kernel, _ = _mixture()
    assert [str(size) for size in kernel.buffers["q.bar"].shape] == ["10"]
    assert kernel.buffers["q.bar"].storage is Storage.LOCAL


def test_what_a_later_phase_needs_is_kept_for_a_tile() -> None:
    kernel, _ = _mixture()
    for name, shape in {"q": ["25", "10"], "minimize.1.term": ["25"], "x.rows": ["10"]}.items():
        assert kernel.buffers[name].storage is Storage.TILE
        assert [str(size) for size in kernel.buffers[name].shape] == shape


def test_memory_of_a_tile_does_not_grow_with_the_samples() -> None:
    kernel, _ = _mixture()
    for buffer in kernel.buffers.values():
        if buffer.of_samples:
            assert all(size.value is not None for size in buffer.shape)


@pytest.mark.parametrize("registers", [1, 3, 24, 40])
def test_sums_beyond_the_registers_are_taken_in_lots(registers: int) -> None:
    _, node = _mixture(registers=registers)
    for phase in node.phases:
        sums = [u for u in _updates(phase.body) if u.target.endswith(".lanes")]
        kept = sum(points([loop for loop in u.loops if loop.index in u.seen]) or 0 for u in sums)
        # Terms that take long are never worked out twice.
        assert kept <= registers or all(operations(u) > 4 or kept == len(sums) for u in sums)
    in_lots = {update.target for phase in node.phases for update in phase.sums}
    assert ("mu.bar.sum.lanes" in in_lots) == (registers < 20)


def test_what_sums_in_lots_read_is_kept_for_a_tile() -> None:
    """They go through the blocks once more."""
    kernel, node = _mixture(registers=3)
    for phase in node.phases:
        for update in phase.sums:
            for one in update.reads:
                assert kernel.buffers[one.tensor or ""].storage is not Storage.LOCAL
    assert kernel.buffers["q.bar"].storage is Storage.TILE
    assert [str(size) for size in kernel.buffers["q.bar"].shape] == ["10"]


def test_short_bodies_are_one_phase_without_tiles() -> None:
    kernel = kernel_for(LAYER, {"n": 100, "d": 3, "h": 2})
    node = pass_over(kernel, "n")
    assert [_loops(phase) for phase in node.phases] == [[]]
    assert node.blocks is None
    assert not any(buffer.storage is Storage.TILE for buffer in kernel.buffers.values())


def test_hidden_units_share_their_loop_forward_and_back() -> None:
    kernel = kernel_for(LAYER, {"n": 100, "d": 30, "h": 20})
    node = pass_over(kernel, "n")
    assert ["20"] in [_loops(phase) for phase in node.phases]
    for phase in node.phases:
        inside = {loop.index for update in _updates(phase.body) for loop in update.loops}
        assert not inside & {loop.index for loop in phase.loops}


def test_a_matrix_product_is_not_computed_twice() -> None:
    """It takes few operations at a point, but has many points."""
    kernel = kernel_for(LAYER, {"n": 100, "d": 30, "h": 20})
    assert not any(".again" in name for name in kernel.buffers)
    products = [u for u in _updates(pass_over(kernel, "n").body) if u.target == "z"]
    assert len(products) == 1


def test_what_is_cheap_is_computed_again() -> None:
    kernel = kernel_for(MEANS, {"n": 1000, "k": 40}, "grad", written_out=0)
    node = pass_over(kernel, "n")
    again = [name for name in kernel.buffers if name.startswith("u.again")]
    assert again
    for name in again:
        assert kernel.buffers[name].shape == ()
        assert kernel.buffers[name].storage is Storage.LOCAL
    writers = [u for u in _updates(node.body) if u.target in again]
    assert len({(u.expression.func, len(u.reads)) for u in writers}) == 1


def test_a_fill_stays_outside_of_loops_that_do_not_reach_all() -> None:
    text = (
        "data X[n, d]\nparam W[4, d] init 0\n"
        "q[i, a] += W[a, j] * X[i, j] for i in n, a in range(1, 4), j in d\n"
        "minimize sum(tanh(q) * q)\n"
    )
    node = pass_over(kernel_for(text, {"n": 100, "d": 3}, "value", written_out=0), "n")
    (filled,) = (p for p in node.phases for part in p.body if part == Fill("q", 0.0))
    assert not filled.loops


@pytest.mark.parametrize("options", [{"written_out": 0}, {"written_out": 0, "registers": 1}])
def test_phases_of_a_tile_run_over_the_same_blocks(options: dict[str, int]) -> None:
    _, node = _mixture(**options)
    assert node.blocks in (1, 2, 4, 8, 16)
    assert node.lanes == 8


def test_large_tiles_have_few_blocks() -> None:
    """All that is kept for a tile stays in the caches."""
    few, many = (
        pass_over(kernel_for(MIXTURE, {"n": 1000, "d": d, "K": k}), "n").blocks
        for d, k in ((100, 100), (10, 25))
    )
    assert few is not None and many is not None and few < many


def test_passes_over_a_compiled_in_number_write_out_little() -> None:
    """They run a few times in all: code counts for more than speed."""
    text = (
        "data x[n], c[n] in k\nparam W[k, 20] init 0\n"
        "V[a, j] = exp(W[a, j]) for a in k, j in 20\n"
        "minimize sum(V[c[i], j] * x[i] for i, j)\n"
    )
    kernel = kernel_for(text, {"n": 1000, "k": 30}, "value")
    assert pass_over(kernel, "n").written_out == 512
    small = pass_over(kernel, "30")
    assert small.written_out < 64
    assert [_loops(phase) for phase in small.phases] == [["20"]]


def test_one_lane_is_one_phase() -> None:
    for node in passes(kernel_for(MIXTURE, MIXTURE_SIZES, lanes=1)):
        assert [_loops(phase) for phase in node.phases] == [[]]
        assert node.blocks is None


# ── passes by hand ───────────────────────────────────────────────────────────────────────────


SAMPLES = Range(SAMPLE, constant(0), dim("n"))
X = read("x", SAMPLE)
A, B = loop("a", 3), loop("b", 3)
VECTOR, MATRIX = (constant(3),), (constant(3), constant(3))


def _template(name: str, *shape: Integer, storage: Storage = Storage.LOCAL) -> Buffer:
    return Buffer(name, shape, storage)


TEMPLATES = {
    buffer.name: buffer
    for buffer in (
        _template("D", *MATRIX),
        _template("M", *MATRIX),
        _template("t"),
        _template("x", dim("n"), storage=Storage.GIVEN),
    )
}


def _node(*body: Fill | Update, written_out: int = 0, registers: int = 24) -> tuple[Pass, Kernel]:
    buffers = {
        "x": TEMPLATES["x"],
        "sum": _template("sum", *MATRIX, storage=Storage.PARTIAL),
    }
    options = Options(written_out=written_out, registers=registers)
    node = in_phases(SAMPLES, body, options, TEMPLATES, buffers)
    return node, Kernel("f", (Fill("sum", 0.0), node), buffers, (), ("n",))


def _update(
    target: str, places: Sequence[Size], *reads: Read, over: tuple[Range, ...] = ()
) -> Update:
    total = sum((one.symbol for one in reads), start=reads[0].symbol * 0)
    return Update(target, tuple(map(place, places)), over, "sum", total, reads, first=False)


TO_SUM = _update("sum", "ab", read("M", "a", "b"), over=(A, B))


def test_a_fill_in_a_loop_is_of_the_point_at_hand() -> None:
    """Other points of the loop have filled and added to the rest."""
    row = _update("D", "ab", X, over=(A, B))
    later = replace(_update("t", (), read("D", 0, 2), read("D", 2, 0)), first=True)
    use = _update("sum", "ab", read("t"), over=(A, B))
    node, kernel = _node(Fill("D", 2.0), row, later, use, written_out=8)
    verify(kernel)
    assert kernel.buffers["D"].shape == MATRIX and kernel.buffers["D"].storage is Storage.TILE
    first, fill = node.phases[0], node.phases[0].body[0]
    assert _loops(first) == ["3"] and isinstance(fill, Update) and fill.first
    assert fill.place[0] == index("phase0")
    assert [loop.index for loop in fill.loops] == [fill.place[1].index]
    assert points(fill.loops) == 3
    assert fill.expression == Constant(2.0)


def test_what_only_the_point_at_hand_has_is_filled_whole() -> None:
    """D[a, a] is written in row a, and all of the row is read."""
    diagonal = _update("D", "aa", X, over=(A,))
    copy = replace(_update("M", "ab", read("D", "a", "b"), over=(A, B)), first=True)
    node, kernel = _node(Fill("D", 0.0), diagonal, copy, TO_SUM, written_out=4)
    verify(kernel)
    assert kernel.buffers["D"].shape == VECTOR and kernel.buffers["D"].storage is Storage.LOCAL
    (first, *_) = (phase for phase in node.phases if "M" in _targets(phase))
    assert _loops(first) == ["3"]
    assert Fill("D", 0.0) in first.body


@pytest.mark.parametrize("registers", [1, 24])
def test_equal_updates_are_both_kept(registers: int) -> None:
    """Two terms of one sum may be the same."""
    term = _update("sum", "ab", X, over=(A, B))
    node, _ = _node(term, replace(term), registers=registers)
    targets = [part.target for part in node.body if isinstance(part, Update)]
    assert targets == ["sum", "sum"]
    (phase,) = node.phases
    assert len(phase.sums) == (2 if registers == 1 and not phase.loops else 0)


def test_buffers_of_one_kind_are_shared_between_passes() -> None:
    buffers: dict[str, Buffer] = {}
    body = (replace(_update("t", (), X), first=True),)
    nodes = [in_one_phase(SAMPLES, body, TEMPLATES, buffers) for _ in range(2)]
    assert list(buffers) == ["t"]
    assert nodes[0] == nodes[1]


def test_names_do_not_collide_between_passes() -> None:
    """One name for two kinds of buffers would have the shape of the first."""
    buffers = {
        "t": _template("t", *VECTOR),
        "t'": _template("t'", *MATRIX),
        "sum": _template("sum", storage=Storage.PARTIAL),
        "x": TEMPLATES["x"],
    }
    body = (replace(_update("t", (), X), first=True), _update("sum", (), read("t")))
    for node in (
        in_one_phase(SAMPLES, body, TEMPLATES, buffers),
        in_phases(SAMPLES, body, Options(), TEMPLATES, buffers),
    ):
        (phase,) = node.phases
        assert [touched(part) for part in phase.body] == [("t''", "x"), ("sum", "t''")]
    assert buffers["t"].shape == VECTOR and buffers["t'"].shape == MATRIX
    assert buffers["t''"].shape == () and buffers["t''"].name == "t''"
