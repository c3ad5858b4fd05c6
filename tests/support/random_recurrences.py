"""Random recurrences: of one state or several, forward and backward, of trees, of two indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Any
Expression = Callable[[dict[str, str]], str]  # a random expression where some indices run
Dims = tuple[str, ...]


def recurrence(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    """Definitions, the last of which has the name, and the dims of its axes."""
    kind = draw(st.sampled_from((_guarded, _backward, _in_lanes, _vector, _pair, _tree, _triangle)))
    return kind(draw, name, expression)


def _guarded(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    """Without a start case: what is before the first step is not looked at."""
    here, start = expression({"i": "n"}), expression({})
    before = f"({name}[i-1] if i > 0 else {start})"
    return f"{name}[i] = tanh(0.7 * {before} + {here}) for i in n", ("n",)


def _backward(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    here, end = expression({"i": "n"}), expression({})
    after = f"({name}[i+1] if i < n - 1 else {end})"
    return f"{name}[i] = {here} - sin({after}) for i in n", ("n",)


def _in_lanes(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    """Each sample on its own through a few steps, which look one or two back."""
    state, count = f"{name}s", draw(st.sampled_from((2, 3, 9)))
    more = f" - {state}[t-2, i]^2 / 3" if count > 2 else ""
    lines = [
        f"{state}[0, i] = {expression({'i': 'n'})} for i in n",
        f"{state}[1, i] = {expression({'i': 'n'})} for i in n",
        f"{state}[t, i] = tanh({state}[t-1, i] * {expression({'i': 'n'})}{more})"
        f" for t in range(2, {count + 1}), i in n",
        f"{name}[i] = {state}[{count}, i] for i in n",
    ]
    return "\n".join(lines), ("n",)


def _vector(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    """A state of several numbers, each of which looks at all of them."""
    kind = draw(st.sampled_from(("sum", "max", "logsumexp")))
    lines = [
        f"{name}[0, a] = {expression({'a': 'k'})} for a in k",
        f"{name}[t, a] = tanh({kind}(r[t, z] * {name}[t-1, z] for z in k) / 2 + V[a, 0])"
        " for t in range(1, n), a in k"
        if draw(st.booleans())
        else f"{name}[t] = tanh({name}[t-1] * {expression({'t': 'n'})}) for t in range(1, n)",
    ]
    return "\n".join(lines), ("n", "k")


def _pair(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    """Two states, the first of which is used before it is defined."""
    other = f"{name}s"
    lines = [
        f"{name}[t] = max({other}[t], {name}[t-1] / 2) for t in range(1, n)",
        f"{other}[0] = {expression({})}",
        f"{other}[t] = sin({name}[t-1] + {expression({'t': 'n'})}) for t in range(1, n)",
        f"{name}[0] = {expression({})}",
    ]
    return "\n".join(lines), ("n",)


def _tree(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    lines = [
        f"{name}[0] = {expression({})}",
        f"{name}[i] = tanh({name}[tree[i]]) + {expression({'i': 'n'})} for i in range(1, n)",
    ]
    return "\n".join(lines), ("n",)


def _triangle(draw: Draw, name: str, expression: Expression) -> tuple[str, Dims]:
    """Row by row, and within a row column by column; perhaps for every sample."""
    sample = draw(st.booleans())
    first, loop = ("i, ", "i in n, ") if sample else ("", "")
    indices = {"a": "k", "z": "k"} | ({"i": "n"} if sample else {})
    inner = f"sum({name}[{first}a, q] * {name}[{first}z, q] for q in range(z))"
    line = f"{name}[{first}a, z] = tanh({expression(indices)} - {inner})"
    return f"{line} for {loop}a in k, z in range(a + 1)", ("n", "k", "k") if sample else ("k", "k")
