"""Packs: what is gathered at one place comes from one array, and nothing else changes place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symopt.loops.program import Buffer, Kernel, Rows, Storage, Update
from symopt.loops.verify import verify
from symopt.types import constant
from tests.support.agreement import (
    assert_agree,
    assert_native_is_right,
    compiled_of,
    evaluated,
    model_of,
)
from tests.support.loops import kernel_of, passes

CAMERAS = """\
data cam[n] in c, x[n]
param p[c] init 1, q[c, 3] init 1
near[a] = exp(p[a]) for a in c
far[a] = tanh(p[a]) for a in c
turn[a, k] = sin(q[a, k]) * p[a] for a in c
"""
ONE_PLACE = (
    CAMERAS
    + """\
r[i] = near[cam[i]] * x[i] + far[cam[i]] + sum(turn[cam[i], k] * x[i]^k for k in 3)
minimize sum(r[i]^2 for i)
"""
)


def _packs(kernel: Kernel) -> list[Buffer]:
    return [b for name, b in kernel.buffers.items() if name.startswith("per.") and not b.by_lane]


def _moves(kernel: Kernel) -> list[Rows]:
    return [part for node in passes(kernel) for part in node.body if isinstance(part, Rows)]


def test_a_row_of_columns_is_moved_once() -> None:
    kernel = kernel_of(ONE_PLACE)
    (pack,) = _packs(kernel)
    assert pack.storage is Storage.WORKSPACE
    assert [str(size) for size in pack.shape] == ["c", "5"]
    (move,) = [move for move in _moves(kernel) if move.array == pack.name]
    assert [str(place) for place in move.place] == ["cam[sample]"]
    assert kernel.buffers[move.columns].shape[0].value == 5
    for name in ("near", "far", "turn"):
        assert kernel.buffers[name].storage is Storage.LOCAL


def test_every_column_is_written_once_and_never_filled() -> None:
    kernel = kernel_of(ONE_PLACE)
    (pack,) = _packs(kernel)
    written = [
        part
        for node in passes(kernel)
        for part in node.body
        if isinstance(part, Update) and part.target == pack.name
    ]
    columns = [
        {part.place[1].substitute({"axis0": constant(k)}).value for k in range(3)}
        for part in written
    ]
    assert sorted(map(len, columns)) == [1, 1, 3]
    assert set[int | None]().union(*columns) == set(range(5))
    assert [part.first for part in written] == [True, False, False]
    assert not any(getattr(node, "buffer", None) == pack.name for node in kernel.nodes)


def test_what_is_gathered_at_two_places_is_moved_at_each() -> None:
    """What only one of them needs is at the ends of the row, and not moved for the other."""
    text = CAMERAS.replace("x[n]", "x[n], to[n] in c") + (
        "r[i] = near[cam[i]] * far[to[i]] - far[cam[i]] * sum(turn[to[i], k] for k in 3) * x[i]\n"
        "minimize sum(r[i]^2 for i)\n"
    )
    kernel = kernel_of(text)
    (pack,) = _packs(kernel)
    widths = {
        str(move.place[0]): kernel.buffers[move.columns].shape[0].value
        for move in _moves(kernel)
        if move.array == pack.name
    }
    assert widths == {"cam[sample]": 2, "to[sample]": 4}


def test_an_axis_that_does_not_lead_is_turned() -> None:
    text = (
        "data cam[n] in c, x[n]\nparam q[3, c] init 1, p[c] init 1\n"
        "turn[k, a] = sin(q[k, a]) * p[a] for k in 3, a in c\n"
        "r[i] = sum(turn[k, cam[i]] * x[i]^k for k in 3)\nminimize sum(r[i]^2 for i)\n"
    )
    (pack,) = _packs(kernel_of(text))
    assert [str(size) for size in pack.shape] == ["c", "3"]


def test_wide_packs_are_cut() -> None:
    """Each row is moved without a loop, so that its columns can be in registers."""
    names = [f"t{k}" for k in range(3)]
    text = "data cam[n] in c, x[n]\nparam q[c, 30] init 1\n"
    text += "".join(f"{name}[a, k] = sin(q[a, k] + {name[1]}) for a in c\n" for name in names)
    terms = " + ".join(f"{name}[cam[i], k]" for name in names)
    text += f"r[i] = sum({terms} for k in 30) - x[i]\nminimize sum(r[i]^2 for i)\n"
    packs = _packs(kernel_of(text))
    assert [str(size) for pack in packs for size in pack.shape[1:]] == ["60"]


@pytest.mark.parametrize(
    "use",
    [
        "r[i] = near[cam[i]] * x[i]",  # one value alone
        "r[i] = sum(turn[cam[i], k] * x[i]^k for k in 3)",  # rows already
        "r[i] = p[cam[i]] * q[cam[i], 0] * x[i]",  # given: nothing is copied
        "r[a] = near[a] * far[a] for a in c",  # at the plain sample
        "r[i] = near[0] * far[0] * x[i]",  # the same for all samples
        "r[i] = turn[cam[i], lab[i]] * near[lab[i]] * x[i]",  # one element of a row
    ],
)
def test_nothing_else_is_packed(use: str) -> None:
    text = CAMERAS.replace("x[n]", "x[n], lab[n] in 3") + f"{use}\nminimize sumsq(r)\n"
    assert not _packs(kernel_of(text))


def test_one_lane_gathers_as_it_is() -> None:
    assert not _packs(kernel_of(ONE_PLACE, lanes=1))


def test_what_is_complete_later_is_in_a_later_pack() -> None:
    """`next` needs what is gathered from `near` and `far`, and is gathered in its turn."""
    text = (
        CAMERAS
        + """\
total[cam[i]] += near[cam[i]] * far[cam[i]] * x[i] for i in n
next[a] = tanh(total[a]) for a in c
over[a] = exp(-total[a]^2) for a in c
minimize sum((near[cam[i]] * next[cam[i]] + far[cam[i]] * over[cam[i]] - x[i])^2 for i)
"""
    )
    kernel = kernel_of(text)
    assert len(_packs(kernel)) == 2


PROGRAMS = {
    "one_place": ONE_PLACE,
    "two_places": CAMERAS
    + """\
data to[n] in c
r[i] = near[cam[i]] * far[to[i]] - far[cam[i]] * sum(turn[to[i], k] for k in 3)
minimize sum(r[i]^2 * x[i] for i)
""",
    "later": CAMERAS
    + """\
total[cam[i]] += near[cam[i]] * far[cam[i]] * x[i] for i in n
next[a] = tanh(total[a]) for a in c
over[a] = exp(-total[a]^2) for a in c
minimize sum((near[cam[i]] * next[cam[i]] + far[cam[i]] * over[cam[i]] - x[i])^2 for i)
""",
    "also_in_full": CAMERAS
    + """\
r[i] = near[cam[i]] * x[i] + far[cam[i]] * near[0]
minimize sum(r[i]^2 for i) + sum(near[a] * far[a] for a in c) + logsumexp(far)
""",
    "neighbours": CAMERAS
    + """\
minimize sum((near[i // 2] * far[i // 2] - x[i] * turn[i // 2, 1])^2 for i in 5)
""",
    "reduced": """\
data cam[n] in c, x[n]
param q[c, 3] init 1, s[3, c] init 1
top[a] = max(q[a, k] for k in 3) for a in c
scale[a] = logsumexp(q[a, k] for k in 3) for a in c
turn[k, a] = sin(s[k, a]) * top[a] for k in 3, a in c
r[i] = top[cam[i]] * x[i] + scale[cam[i]] + sum(turn[k, cam[i]] * x[i]^k for k in 3)
minimize sum(r[i]^2 for i)
""",
    "triangle": """\
data cam[n] in c, x[n]
param q[c, 3] init 1
low[a, j, k] += q[a, j] * sin(q[a, k]) for a in c, j in 3, k in range(j)
near[a] = exp(q[a, 0]) for a in c
r[i] = near[cam[i]] * x[i] + sum(low[cam[i], j, k] * x[i]^j for j in 3, k in 2)
minimize sum(r[i]^2 for i)
""",
}


@pytest.mark.parametrize(("cameras", "recompute"), [(3, 6), (1500, 0), (1500, 6)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_native_functions_agree_with_the_statements(
    name: str, cameras: int, recompute: int
) -> None:
    """Whether the number of cameras is compiled in, 3, or open, 1500."""
    rng = np.random.default_rng(7)
    n = 13
    text = PROGRAMS[name]
    data: dict[str, Any] = {"x": rng.normal(size=n), "cam": rng.integers(0, cameras, n)}
    if "to[n]" in text:
        data["to"] = rng.integers(0, cameras, n)
    problem = model_of(text, 8, recompute=recompute).bind(data, c=cameras)
    p, v = rng.uniform(-1, 1, (2, problem.n))
    if cameras == 3:
        assert_native_is_right(problem, p, v)
        return
    kernel = verify(compiled_of(problem, "value_and_grad").kernel)
    assert name == "neighbours" or _packs(kernel)
    found = np.append(*problem.value_and_grad(p))
    assert_agree(found, evaluated(problem, "value_and_grad", p, v), name)
