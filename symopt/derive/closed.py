"""Values and derivatives of a loss as single SymPy expressions, for people to read.

The compiled derivatives never take this way: they share what is used more than once. A range is
taken to end no earlier than it begins: a SymPy sum over less than nothing is not 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

import sympy
from sympy import S

from symopt.derive.activity import leading_to
from symopt.derive.formula import element, integer_formula
from symopt.derive.functions import Task, weight
from symopt.derive.indices import (
    Limit,
    index_name,
    reserved_names,
    shorten,
    shown_name,
    written_name,
)
from symopt.derive.inline import Inliner
from symopt.derive.reverse import adjoint
from symopt.diagnostics import DataError, DerivativeUnavailable, Diagnostic, Kind, Label
from symopt.statements.program import Role, Tensor
from symopt.types import Integer

Origins = Mapping[str, tuple[Integer, ...]]


def closed_value(
    task: Task, name: str | None = None, origins: Origins | None = None, *, keep: Iterable[str] = ()
) -> sympy.Expr:
    """The objective, or the element `axes(task, name)` of a definition.

    `origins` gives the least index of each axis of definitions whose indices do not start at 0;
    the definitions in `keep` are named in the expression, the others are written out.
    """
    origins = origins or {}
    name = _definition(task, name)
    kept = _kept(task, keep, origins)
    if not _in_steps(task, name):
        kept.pop(name, None)
    scope = axes(task, name, origins)
    inliner = Inliner(task.program, scope, kept=kept)
    return _readable(task, inliner.body(name, _places(scope, origins.get(name))), scope)


def closed_derivative(
    task: Task,
    name: str,
    of: str | None = None,
    origins: Origins | None = None,
    *,
    mirrored: Collection[str] = (),
) -> sympy.Expr:
    """The derivative of the objective, or of a definition, by the element of a tensor.

    The axes of both are free indices: those of the definition are `axes(task, of)`, and those of
    parameter or data `name` are `axes(task, name)`, renamed where the two clash. In a tensor that
    is `mirrored`, the elements [a, b] and [b, a] are one unknown.
    """
    origins = origins or {}
    target = _definition(task, of)
    _check_differentiable(task, name)
    if name not in leading_to(task.program, (target,)):
        return S.Zero
    outer = axes(task, target, origins)
    inner = axes(task, name, origins, outer)
    seed = weight(target)
    shape = task.program.tensors[target].shape
    seeded = task.program.extended((), {seed: Tensor(seed, shape, Role.SEED)})
    program = adjoint(seeded, {target: seed if shape else None}, (name,), stepwise=False)
    bar = f"{name}.bar"
    if bar not in program.tensors:
        raise DerivativeUnavailable(_only_piecewise(task, name, target))
    scope = outer + inner
    inliner = Inliner(program, scope, seeds={seed: _places(outer, origins.get(target))})
    value = inliner.value(bar, _places(inner, None))
    return _readable(task, _both_halves(value, inner) if name in mirrored else value, scope)


def chain_rule(
    task: Task,
    names: Iterable[str],
    origins: Origins | None = None,
    *,
    mirrored: Collection[str] = (),
) -> dict[sympy.Expr, sympy.Expr]:
    """The derivatives of the objective by definitions, and by some tensors in terms of these.

    The derivative by definition `z` has a bar over its name. It comes before what is derived from
    it, and only where something is.
    """
    origins, names = origins or {}, tuple(names)
    target = _definition(task, None)
    for name in names:
        _check_differentiable(task, name)
    program = adjoint(task.program, {target: None}, names, stepwise=False)
    targets = dict.fromkeys(s.target for s in task.program.statements)
    written = [name for name in targets if name.isidentifier() and name != target]
    bars = {f"{name}.bar": name for name in written if f"{name}.bar" in program.tensors}
    kept = _kept(task, written, origins)
    kept |= {bar: kept[name] for bar, name in bars.items()}
    found: dict[str, tuple[sympy.Expr, sympy.Expr]] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        scope = axes(task, name, origins)
        value = _adjoint_in(task, Inliner(program, scope, kept=kept), name, origins, scope)
        if name in mirrored:
            value = _both_halves(value, scope)
        value = _readable(task, value, scope)
        indices = tuple(index for index, _, _ in scope)
        shown = name if name in names else shown_name(f"{name}.bar")
        found[name] = element(shown, indices), value
        used = {symbol.name for symbol in value.atoms(sympy.Symbol)}
        pending += [base for bar, base in bars.items() if shown_name(bar) in used]
    order = [name for name in reversed(written) if name in found]
    return dict(found[name] for name in (*order, *names))


def _adjoint_in(
    task: Task, inliner: Inliner, name: str, origins: Origins, scope: tuple[Limit, ...]
) -> sympy.Expr:
    if f"{name}.bar" not in inliner.program.tensors:
        return S.Zero
    return inliner.body(f"{name}.bar", _places(scope, origins.get(name)))


def _kept(task: Task, names: Iterable[str], origins: Origins) -> dict[str, tuple[Integer, ...]]:
    """Definitions that are named, not written out, with the origins of their axes."""
    return {name: origins.get(name, ()) or _zeros(task, name) for name in names}


def _in_steps(task: Task, name: str) -> bool:
    """Whether a definition is part of a recurrence."""
    return any(s.target == name and s.steps for s in task.program.statements)


def _both_halves(value: sympy.Expr, scope: tuple[Limit, ...]) -> sympy.Expr:
    """The derivative by an element of a symmetric array, from that by a free one's."""
    *_, (row, _, _), (column, _, _) = scope
    other = value.xreplace({row: column, column: row})
    return sympy.Piecewise((value, sympy.Eq(row, column)), (value + other, True))


def _readable(task: Task, expression: sympy.Expr, scope: tuple[Limit, ...]) -> sympy.Expr:
    """Common factors in front, short names for the indices of sums."""
    free = {index.name for index, _, _ in scope}
    return shorten(sympy.factor_terms(expression), reserved_names(task.program) | free)


def axes(
    task: Task, name: str, origins: Origins | None = None, beside: tuple[Limit, ...] = ()
) -> tuple[Limit, ...]:
    """The free indices that stand for the axes of a tensor, with the values they run over.

    They are the indices that the program uses on the tensor where it does so, other than those of
    `beside`.
    """
    shape = task.program.tensors[name].shape
    origin = (origins or {}).get(name) or _zeros(task, name)
    taken = reserved_names(task.program) | {index.name for index, _, _ in beside}
    stems = _stems(task, name)
    # An index that keeps its name does so before another one takes that name as its substitute.
    names = {stem: index_name(stem, taken) for stem in stems if index_name(stem, taken) == stem}
    taken |= names.keys()
    found: list[Limit] = []
    for stem, size, start in zip(stems, shape, origin, strict=True):
        chosen = names.get(stem) or index_name(stem, taken)
        taken |= {chosen}
        first = integer_formula(start, {})
        last = first + integer_formula(size, {}) - 1
        found.append((sympy.Symbol(chosen, integer=True), first, last))
    return tuple(found)


def symbol(task: Task, name: str, origins: Origins | None = None) -> sympy.Expr:
    """A tensor's element with its free indices, or the symbol of a scalar."""
    if name not in task.program.tensors:
        known = (other for other in task.program.tensors if other.isidentifier())
        raise DataError(_unknown("name", name, known))
    integer = task.program.tensors[name].role is Role.INDICES
    indices = tuple(index for index, _, _ in axes(task, name, origins))
    return element(name, indices, integer=integer)


def _zeros(task: Task, name: str) -> tuple[Integer, ...]:
    return (Integer(()),) * len(task.program.tensors[name].shape)


def _places(scope: tuple[Limit, ...], origin: tuple[Integer, ...] | None) -> tuple[sympy.Expr, ...]:
    """Where an element is stored: its indices, counted from the origin."""
    starts = [integer_formula(part, {}) for part in origin or ()] or [S.Zero] * len(scope)
    return tuple(index - start for (index, _, _), start in zip(scope, starts, strict=True))


def _stems(task: Task, name: str) -> tuple[str, ...]:
    """The names that the program itself gives to the indices of a tensor, or empty ones."""
    program = task.program
    uses = [(s.map, s.loops) for s in program.statements if s.target == name]
    uses += [(r.map, s.loops) for s in program.statements for r in s.reads if r.tensor == name]
    for places, _ in uses:
        used = [sorted(place.indices) for place in places]
        if all(len(names) == 1 for names in used) and len({n for (n,) in used}) == len(used):
            return tuple(written_name(names[0]) for names in used)
    return ("",) * len(program.tensors[name].shape)


# ── what cannot be derived ───────────────────────────────────────────────────────────────────


def _definition(task: Task, name: str | None) -> str:
    if name is None:
        if task.objective is None:
            raise DerivativeUnavailable(
                Diagnostic(Kind.DERIVATIVE, "no-objective", "the program has no objective")
            )
        return task.objective
    written = sorted({s.target for s in task.program.statements if s.target.isidentifier()})
    if name not in written:
        raise DataError(_unknown("definition", name, written))
    return name


def _check_differentiable(task: Task, name: str) -> None:
    tensors = task.program.tensors
    if name in tensors and tensors[name].role is Role.INDICES:
        raise DerivativeUnavailable(
            Diagnostic(
                Kind.DERIVATIVE,
                "integer-data",
                f"`{name}` holds indices: nothing has a derivative by it",
                help=f"derive by a parameter: {', '.join(task.params)}",
            )
        )
    if name not in tensors or tensors[name].role not in (Role.PARAM, Role.DATA):
        raise DataError(_unknown("parameter", name, task.params))


def _unknown(what: str, name: str, known: Iterable[str]) -> Diagnostic:
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    return Diagnostic(
        Kind.DATA,
        f"unknown-{what}",
        f"there is no {what} `{name}`",
        help=f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known) or 'none'}",
    )


def _only_piecewise(task: Task, name: str, target: str) -> Diagnostic:
    what = "the objective" if target == task.objective else f"`{target}`"
    readers = [s for s in task.program.statements if any(r.tensor == name for r in s.reads)]
    labels = (Label(readers[0].span, "used here"),) if readers and readers[0].span else ()
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-derivative",
        f"{what} depends on `{name}` only through piecewise constant functions",
        labels,
        notes=("floor, ceil, sign, //, comparisons and conditions have derivative 0",),
    )
