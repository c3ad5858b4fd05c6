"""Where the entries that a statement reaches land: which blocks definitions have."""

from __future__ import annotations

import pytest

import symopt
from symopt.derive.blocks import Columns, axis, extent, own
from symopt.derive.forward import by_blocks, columns_of
from symopt.statements.verify import verify
from symopt.types import constant, dim


def blocks(text: str, name: str) -> list[str]:
    """The blocks of a definition."""
    return list(map(str, columns(text, name).blocks))


def columns(text: str, name: str) -> Columns:
    task = symopt.parse(text).stages.task
    verify(by_blocks(task.program, task.params, (name,)))
    return columns_of(task.program, task.params, (name,)).get(name, Columns(()))


def test_bundle_adjustment_has_nine_columns_of_a_camera_and_three_of_a_point() -> None:
    text = """
    data cam[m] in n, pt[m] in q, y[m, 2]
    param C[n, 9], P[q, 3]
    v[o, a] = P[pt[o], a] - C[cam[o], 3 + a] for a in 3
    square[o] = sum(C[cam[o], a]^2 for a in 3)
    at[o, a] = v[o, a] * sin(square[o]) / v[o, 2] for a in 2
    radius[o] = sumsq(at[o])
    residual r[o, a] = C[cam[o], 6] * (1 + C[cam[o], 7] * radius[o] + C[cam[o], 8]) * at[o, a] \
        - y[o, a]
    """
    assert blocks(text, "v") == ["C[cam[@0], @1 + 3]", "P[pt[@0], @1]"]
    assert blocks(text, "square") == ["C[cam[@0], 0:3]"]
    assert blocks(text, "radius") == ["C[cam[@0], 0:6]", "P[pt[@0], 0:3]"]
    assert blocks(text, "r") == ["C[cam[@0], 0:9]", "P[pt[@0], 0:3]"]
    assert columns(text, "r").width == constant(12)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("r[i] = x[i + 1] - x[i] for i in range(n - 1)", ["x[@0:@0 + 2]"]),
        ("r[i] = x[i + 2] - x[i] for i in range(n - 2)", ["x[@0]", "x[@0 + 2]"]),
        ("r[i] = x[n - 1 - i] * x[i]", ["x[@0]", "x[n - @0 - 1]"]),
        ("r[i] = x[2 * i] for i in range(n // 2)", ["x[2*@0]"]),
        ("r[i] = x[a[i]] - x[b[i]]", ["x[a[@0]]", "x[b[@0]]"]),
        ("r[i] = x[a[b[i]]]", ["x[a[b[@0]]]"]),
        ("r[i] = s * x[i] + x[0]", ["s", "x[0]", "x[@0]"]),
        ("r[i] = x[i + 1] if i < n - 1 else s for i in n", ["s", "x[clamp(@0 + 1, n)]"]),
        ("r[i] = x[i]^2 + y[i]", ["x[@0]"]),
        ("r[i] = y[i] * 2", []),
        ("r[i] = floor(x[i])", []),
    ],
)
def test_places_of_single_entries(definition: str, expected: list[str]) -> None:
    text = f"data y[n], a[n] in n, b[n] in n\nparam s, x[n]\n{definition}\nminimize s + sum(x)"
    assert blocks(text, "r") == expected


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        # A loop that the target does not see runs along an axis of the block ...
        ("r[i] = sum(X[i, j] * w[j] for j)", ["w[0:d]"]),
        ("r[i] = sum(W[g[i], j] * X[i, j] for j)", ["W[g[@0], 0:d]"]),
        ("r[i, j] = W[g[i], j]", ["W[g[@0], @1]"]),
        ("r[i] = sum(u[i + k] for k in 3) for i in range(n - 2)", ["u[@0:@0 + 3]"]),
        ("r[i] = sum(u[i - k] for k in 3) for i in range(2, n)", ["u[@0:@0 + 3]"]),
        ("r[i] = sum(u[i + k] for k in range(1, d)) for i in range(n - d)", None),
        # ... or along all of it, where what it reads is not known ...
        ("r = sum(u[i]^2 for i)", ["u[0:n]"]),
        ("r = sum(W[g[i], 1] for i)", ["W[0:q, 1]"]),
        ("r[p] = sum(u[j] for j in range(off[p], off[p + 1])) for p in q", ["u[0:n]"]),
        ("r[i] = sum(u[j] for j in range(i)) for i in n", ["u[0:n]"]),
        # ... or it joins the block inside an index array.
        ("r[i] = sum(u[near[i, k]] for k)", ["u[near[@0, $0]] for $0 < 4"]),
        ("r[i] = sum(S[near[i, k], k] for k)", ["S[near[@0, $0], $0] for $0 < 4"]),
        ("r[i] = u[i] * sum(S[k, k] for k in 4)", ["u[@0]", "S[$0, $0] for $0 < 4"]),
    ],
)
def test_loops_that_the_target_does_not_see(definition: str, expected: list[str] | None) -> None:
    text = f"""
    data X[n, d], g[n] in q, off[q + 1] in n + 1, near[n, 4] in n
    param w[d], W[q, d], u[n], S[n, 4]
    {definition}
    minimize sum(w) + sum(W) + sum(u) + sum(S)
    """
    found = blocks(text, "r")
    if expected is None:
        (block,) = columns(text, "r").blocks
        assert block.place == (axis(0) + own(0) + 1,)
        assert block.extents == (extent(dim("d") - 1),)
    else:
        assert found == expected


def test_windows_of_windows_are_windows() -> None:
    text = """
    param x[n]
    y[i] = sum(x[i + k] for k in 3) for i in range(n - 2)
    z[i] = sum(y[i + 2 * k] for k in 2) for i in range(n - 4)
    u[i] = sum(y[i + k]^2 for k in 4) for i in range(n - 5)
    minimize sum(z) + sum(u)
    """
    assert blocks(text, "y") == ["x[@0:@0 + 3]"]
    assert blocks(text, "u") == ["x[@0:@0 + 6]"]
    # Steps of two leave no box: both loops join the block.
    (block,) = columns(text, "z").blocks
    assert block.width == constant(6)


def test_neighbours_of_neighbours_of_neighbours_take_all() -> None:
    text = """
    data near[n, 4] in n
    param x[n]
    y[i] = sum(x[near[i, k]] for k)
    z[i] = sum(y[near[i, k]] for k)
    u[i] = sum(z[near[i, k]] for k)
    minimize sum(u)
    """
    assert columns(text, "z").width == constant(16)
    assert blocks(text, "u") == ["x[0:n]"]


def test_what_is_accumulated_at_an_index_array_is_known_by_its_place() -> None:
    text = """
    data g[n] in q
    param C[q], x[n]
    total[g[i]] += C[g[i]] * x[i]
    minimize sumsq(total)
    """
    assert blocks(text, "total") == ["C[@0]", "x[0:n]"]


def test_columns_pass_through_several_statements_of_one_sum() -> None:
    text = """
    data g[n] in q, h[n] in q
    param x[q], y[n]
    s[i] += x[g[i]] + y[i]
    s[i] += x[h[i]]^2
    minimize sumsq(s)
    """
    assert blocks(text, "s") == ["x[g[@0]]", "x[h[@0]]", "y[@0]"]
