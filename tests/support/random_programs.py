"""Random small programs of the language, with data for them.

Everything drawn is smooth enough and bounded: exponentials of bounded arguments, divisors away
from zero, conditions on data or parameters only. Then rounding cannot flip a branch, and native
code and evaluator must agree closely.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.support.random_recurrences import recurrence

Draw = Any

LETTERS = {"n": "i", "d": "j", "k": "a", "m": "g"}  # the index that runs over a dim by default
GIVEN = {
    "x": ("n",),
    "y": ("n",),
    "X": ("n", "d"),
    "Y": ("m", "n"),
    "s": (),
    "w": ("d",),
    "b": (),
    "u": ("n",),
    "V": ("k", "d"),
    "q": ("m",),
    "r": ("n", "k"),
    "P": ("k", "k"),
}
DATA = ("x", "y", "X", "Y", "s")
GATHERS = {"k": ("c", "n"), "m": ("h", "n")}  # per dim: an index array into it, over another dim
HEADER = """\
dim k = 3
data x[n], y[n], X[n, d], Y[m, n], s
data c[n] in k, h[n] in m, off[m+1] in n+1, tree[n] in n
param w[d] init 0, b init 0, u[n] init 0, V[k, d] init 0, q[m] init 0, r[n, k] init 0
param P[k, k] as symmetric init 0
def mix(v[size], a) {
  c[i] = v[i] * a - v[size - 1 - i] for i in size
  h = sum(c) + b
  return tanh(c * h)
}
"""

BOUNDED = ("sin", "cos", "tanh", "sigmoid", "atan")
GROWING = ("abs", "relu", "softplus", "silu", "gelu", "asinh", "log_sigmoid", "erf")


@dataclass(slots=True)
class Scope:
    """What may be read: running indices with their dims, and tensors with theirs."""

    indices: dict[str, str]
    tensors: dict[str, tuple[str, ...]]
    depth: int = 3
    data_only: bool = False
    used: set[str] = field(default_factory=set)

    def inner(self, **more: str) -> Scope:
        return Scope(
            {**self.indices, **more}, self.tensors, self.depth - 1, self.data_only, self.used
        )


@dataclass(frozen=True, slots=True)
class Example:
    """A program, the sizes of its open dims, and a seed for its data and point."""

    text: str
    sizes: Mapping[str, int]
    seed: int

    def data(self) -> dict[str, Any]:
        """Arrays for everything the header declares."""
        rng = np.random.default_rng(self.seed)
        sizes = {**self.sizes, "k": 3}
        found: dict[str, Any] = {
            name: self.drawn(rng, tuple(sizes[d] for d in GIVEN[name])) for name in DATA
        }
        n, m = sizes["n"], sizes["m"]
        found["c"] = rng.integers(0, 3, n)
        found["h"] = rng.integers(0, m, n) if m else np.zeros(n, int)
        found["tree"] = np.maximum(np.arange(n) - 1 - rng.integers(0, 3, n), 0)
        found["off"] = np.sort(np.append(rng.integers(0, n + 1, m), n))
        return found

    def point(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and a direction."""
        rng = np.random.default_rng(self.seed + 1)
        return self.drawn(rng, (size,)), rng.normal(size=size)

    def drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Normal numbers; every third time rounded, so that there are ties and zeros."""
        numbers = rng.normal(size=shape)
        return np.round(numbers) if self.seed % 3 == 0 else numbers


def _choose(draw: Draw, *options: Any) -> Any:
    return draw(st.sampled_from(options))


def _readable(scope: Scope) -> list[str]:
    running = set(scope.indices.values())
    gathered = {dim for dim, (_, over) in GATHERS.items() if over in running}
    return [
        name
        for name, dims in scope.tensors.items()
        if all(dim in running or dim in gathered or dim == "k" for dim in dims)
        and (not scope.data_only or name in DATA)
    ]


def _index(draw: Draw, scope: Scope, dim: str) -> str:
    options = [name for name, over in scope.indices.items() if over == dim]
    if dim in GATHERS:
        array, over = GATHERS[dim]
        options += [f"{array}[{name}]" for name, d in scope.indices.items() if d == over]
    if dim == "k":
        options += ["0", "2"]
    return _choose(draw, *options)


def _read(draw: Draw, scope: Scope) -> str:
    names = _readable(scope)
    if not names or draw(st.integers(0, 9)) == 0:
        return _constant(draw, scope)
    name = _choose(draw, *names)
    dims = scope.tensors[name]
    if not dims:
        return name
    places = [_index(draw, scope, dim) for dim in dims]
    plain = places[0] in scope.indices
    if plain and draw(st.integers(0, 5)) == 0:
        i, rest = places[0], places[1:]
        shift, guard = _choose(draw, ("-1", f"{i} > 0"), ("+1", f"{i} < {dims[0]} - 1"))
        moved = ", ".join([i + shift, *rest])
        return f"({name}[{moved}] if {guard} else 0.25)"
    return f"{name}[{', '.join(places)}]"


def _constant(draw: Draw, scope: Scope) -> str:
    """A number, a dim, an index or an entry of integer data, used as a number."""
    counts = [f"({name} / (1 + {dim}))" for name, dim in scope.indices.items()]
    counts += [f"c[{name}]" for name, dim in scope.indices.items() if dim == "n"]
    return _choose(draw, "0.5", "2", "-1.25", "(n / 7)", *counts)


def _condition(draw: Draw, scope: Scope) -> str:
    """A test of data or of indices: the same bits in both worlds."""
    quiet = Scope(scope.indices, {k: v for k, v in scope.tensors.items() if k in DATA}, 0, True)
    left = _read(draw, quiet)
    if scope.indices and draw(st.integers(0, 3)) == 0:
        left = f"{_choose(draw, *scope.indices)} % 2"
    return f"{left} {_choose(draw, '>', '<=', '==', '!=')} {_choose(draw, '0', '1', '0.5', 's')}"


def expression(draw: Draw, scope: Scope) -> str:
    """An expression at one point of the scope."""
    if scope.depth <= 0:
        return _read(draw, scope)
    inner = scope.inner()
    kind = draw(st.integers(0, 13))
    match kind:
        case 0 | 1 | 2:
            return _read(draw, scope)
        case 3 | 4:
            sign = _choose(draw, "+", "-")
            return f"({expression(draw, inner)} {sign} {expression(draw, inner)})"
        case 5 | 6:
            return f"{expression(draw, inner)} * {expression(draw, inner)}"
        case 7:
            divisor = f"2 + {_choose(draw, *BOUNDED)}({expression(draw, inner)})"
            return f"{expression(draw, inner)} / ({divisor})"
        case 8:
            return f"{_choose(draw, *BOUNDED, *GROWING)}({expression(draw, inner)})"
        case 9:
            name = _choose(draw, "exp", "sqrt", "log", "log1p", "hypot")
            bounded = f"tanh({expression(draw, inner)})"
            return f"hypot({bounded}, 1.5)" if name == "hypot" else f"{name}(1.5 + {bounded})"
        case 10:
            chosen, other = expression(draw, inner), expression(draw, inner)
            return f"({chosen} if {_condition(draw, scope)} else {other})"
        case 11:
            name = _choose(draw, "max", "min")
            return f"{name}({expression(draw, inner)}, {expression(draw, inner)})"
        case 12:
            return f"tanh({expression(draw, inner)})^{_choose(draw, 2, 3)}"
        case _:
            return reduction(draw, scope)


def reduction(draw: Draw, scope: Scope) -> str:
    """A reduction over one or two new indices."""
    names = [f"{letter}{len(scope.indices)}" for letter in "zv"]
    loops: list[str] = []
    inner = scope
    for name in names[: _choose(draw, 1, 1, 1, 2)]:
        dim, text = _loop(draw, inner, name)
        inner = inner.inner(**{name: dim})
        loops.append(text)
    guard = f" if {_condition(draw, inner)}" if draw(st.integers(0, 4)) == 0 else ""
    body = expression(draw, inner)
    kind = _choose(draw, "sum", "sum", "mean", "max", "min", "logsumexp", "prod", "sumsq", "norm")
    if kind == "prod":
        body = f"(1.1 + tanh({body}) / 2)" if draw(st.booleans()) else f"tanh({body})"
    text = f"{kind}({body} for {', '.join(loops)}{guard})"
    # An empty max is infinite; bring it back into the range of the other values.
    return f"tanh({text})" if kind in ("max", "min", "logsumexp", "prod") else text


def _loop(draw: Draw, scope: Scope, name: str) -> tuple[str, str]:
    groups = [i for i, dim in scope.indices.items() if dim == "m"]
    within = [(i, dim) for i, dim in scope.indices.items() if dim in ("d", "k", "n")]
    form = draw(st.integers(0, 6))
    if form == 0 and groups:
        g = _choose(draw, *groups)
        return "n", f"{name} in range(off[{g}], off[{g}+1])"
    if form == 1 and within:
        i, dim = _choose(draw, *within)
        return dim, f"{name} in range({i})"
    dim = _choose(draw, "n", "d", "k", "m")
    if form == 2:
        return dim, f"{name} in range({dim}-1)"
    if form == 3:
        return dim, f"{name} in range(1, {dim})"
    return dim, f"{name} in {dim}"


def definition(draw: Draw, name: str, tensors: dict[str, tuple[str, ...]]) -> tuple[str, tuple]:
    """One definition, and the dims of its axes (none for those nobody else should read)."""
    form = draw(st.integers(0, 13))
    if form == 13:
        return _of_matrix(draw, name, tensors)
    if form == 12:
        argument = expression(draw, Scope({"i": "n"}, tensors, 1))
        return f"{name}[i, a] = mix(r[i], {argument})[a] for i in n, a in k", ("n", "k")
    if form >= 10:
        return recurrence(draw, name, lambda indices: expression(draw, Scope(indices, tensors, 1)))
    if form == 0:
        dims = _choose(draw, ("k",), ("m",))
        array, over = GATHERS[dims[0]]
        scope = Scope({"i": "n"}, tensors, 2)
        return f"{name}[{array}[i]] += {expression(draw, scope)} for i in {over}", dims
    if form == 1:
        scope = Scope({"i": "n", "j": "d", "a": "k"}, tensors, 2)
        dims = _choose(draw, ("n", "k"), ("k", "d"), ("d",), ("k",))
        left = ", ".join(LETTERS[dim] for dim in dims)
        return f"{name}[{left}] += {expression(draw, scope)} for i in n, j in d, a in k", dims
    if form == 2:
        return _neighbours(draw, name, tensors), ()
    if form == 3:
        return _array_notation(draw, name)
    dims = _choose(
        draw, (), ("n",), ("n",), ("n", "d"), ("k",), ("n", "k"), ("m",), ("d", "d"), ("k", "n")
    )
    letters = [LETTERS[d] if d not in dims[:p] else LETTERS[d] + "o" for p, d in enumerate(dims)]
    scope = Scope(dict(zip(letters, dims, strict=True)), tensors)
    ranges = ", ".join(f"{i} in {dim}" for i, dim in zip(letters, dims, strict=True))
    left = f"{name}[{', '.join(letters)}]" if dims else name
    body = expression(draw, scope)
    return f"{left} = {body}" + (f" for {ranges}" if dims else ""), dims


def _of_matrix(draw: Draw, name: str, tensors: dict[str, tuple[str, ...]]) -> tuple[str, tuple]:
    """A function of a positive definite matrix, of one or of each sample's."""
    entry = f"((3 if a == z else 0) + tanh({expression(draw, Scope({}, tensors, 1))} * P[a, z]) / 2"
    if draw(st.booleans()):
        lines = f"{name}s[a, z] = {entry}) for a in k, z in k\n"
        return _choose(
            draw,
            (f"{lines}{name} = logdet({name}s)", ()),
            (f"{lines}{name} = inv({name}s)", ("k", "k")),
            (f"{lines}{name} = cholesky({name}s)", ("k", "k")),
            (f"{lines}{name}[i, a] = solve({name}s, r[i])[a] for i in n, a in k", ("n", "k")),
        )
    lines = f"{name}s[i, a, z] = {entry} + (u[i]^2 if a == z else 0)) for i in n, a in k, z in k\n"
    function = _choose(draw, "logdet", "det")
    return f"{lines}{name}[i] = {function}({name}s[i]) / 9 for i in n", ("n",)


def _neighbours(draw: Draw, name: str, tensors: dict[str, tuple[str, ...]]) -> str:
    flat = [t for t, dims in tensors.items() if dims == ("n",)]
    a, b = _choose(draw, *flat), _choose(draw, *flat)
    scope = Scope({"i": "n"}, tensors, 1)
    more = expression(draw, scope)
    return f"{name}[i] = {a}[i+1] - {b}[i] * {more} for i in range(n-1)"


def _array_notation(draw: Draw, name: str) -> tuple[str, tuple]:
    return _choose(
        draw,
        (f"{name} = X @ w + b", ("n",)),
        (f"{name} = tanh(X @ V.T) + r", ("n", "k")),
        (f"{name} = softmax(X @ V.T)", ("n", "k")),
        (f"{name} = cross_entropy(X @ V.T + r, c)", ("n",)),
        (f"{name} = sum(X * w, axis=0)", ("d",)),
        (f"{name} = X * w", ("n", "d")),
        (f"{name} = max(r, axis=1) - logsumexp(r, axis=1)", ("n",)),
        (f"{name} = Y @ (x * u) + q", ("m",)),
        (f"{name} = sumsq(V) + norm(w)", ()),
        (f"{name} = log_softmax(r)", ("n", "k")),
        (f"{name} = r[:, 1] * u - x", ("n",)),
        (f"{name}[i] = sum(r[i, 0:2]) + dot(X[i], w) for i in n", ("n",)),
        (f"{name} = mean(Y, axis=1) * q", ("m",)),
        (f"{name} = clip(u, -0.7, 0.9) * y", ("n",)),
    )


@st.composite
def examples(draw: Draw) -> Example:
    """A program with data."""
    tensors = dict(GIVEN)
    lines: list[str] = []
    defined: list[tuple[str, tuple[str, ...] | None]] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"f{number}"
        line, dims = definition(draw, name, tensors)
        is_neighbours = "range(n-1)" in line.rpartition(" for ")[2] and line.startswith(
            f"{name}[i] = "
        )
        if not is_neighbours:
            tensors[name] = dims
        defined.append((name, None if is_neighbours else dims))
        lines.append(line)
    lines.extend(_objective(draw, lines, defined))
    sizes = {
        "n": _choose(draw, 5, 9, 1, 2, 8, 16, 17, 0),
        "d": _choose(draw, 2, 3, 1, 0),
        "m": _choose(draw, 2, 3, 1, 4),
    }
    return Example(HEADER + "\n".join(lines) + "\n", sizes, draw(st.integers(0, 99)))


def _marked(mark: str, text: str) -> str:
    """The definitions with a mark on the last of them: those of a name share it."""
    before, line, last = text.rpartition("\n")
    return f"{before}{line}{mark} {last}"


def _objective(draw: Draw, lines: list[str], defined: list) -> list[str]:
    marks = draw(st.integers(0, 3))
    name = defined[-1][0]
    if marks == 1:
        lines[-1] = _marked("model", lines[-1])
    if marks == 2:
        loss = _choose(
            draw, "", "", " loss huber(1.0)", " loss cauchy(0.5)", " loss soft_l1(1.0) elementwise"
        )
        lines[-1] = _marked("residual", lines[-1]) + loss
        return []
    terms = []
    for name, dims in defined[-2:]:
        whole = (
            f"({name})^2"
            if dims == ()
            else _choose(
                draw,
                f"sum({name})",
                f"mean({name})",
                f"sumsq({name})",
                f"norm({name})",
                f"logsumexp({name})",
            )
        )
        terms.append(whole)
    goal = _choose(draw, "minimize", "minimize", "maximize")
    lines = [f"{goal} {' + '.join(terms)}"]
    return ["sample m", *lines] if draw(st.integers(0, 5)) == 0 else lines
