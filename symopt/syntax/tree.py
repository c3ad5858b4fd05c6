"""The syntax tree: what was written, and where, before any name has a meaning.

Chains of one precedence level (`a + b - c`, `a * b / c`) are a single flat node, so the depth
of a tree is the nesting a person wrote and never the length of a sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from symopt.source import Source, Span


def _place() -> Span:
    return field(compare=False, repr=False)


# ── expressions ──────────────────────────────────────────────────────────────────────────────

Operator = Literal["+", "-", "*", "/", "//", "%", "@"]
Comparison = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Number:
    """A literal: `value` is the nearest double; `integer` if written without point or exponent."""

    value: float
    integer: bool
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Chain:
    """`first op operand op operand ...`, left-associative, all of one precedence level."""

    first: Expression
    rest: tuple[tuple[Operator, Expression], ...]
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Power:
    """`base ^ exponent` (also `**`), right-associative; `-x^2` is `-(x^2)` and `2^-1` is fine."""

    base: Expression
    exponent: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Negate:
    operand: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b <= c`: comparisons chain; `operators` has one entry less than `operands`."""

    operands: tuple[Expression, ...]
    operators: tuple[Comparison, ...]
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Logical:
    """`a and b and c`, or `a or b or c`."""

    operator: Literal["and", "or"]
    operands: tuple[Expression, ...]
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if condition else otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Slice:
    """`start:stop` inside brackets; either may be missing. A step is not part of the language."""

    start: Expression | None
    stop: Expression | None
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Subscript:
    """`base[i, j+1, 0:3]`."""

    base: Expression
    subscripts: tuple[Expression | Slice, ...]
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Transpose:
    """`A.T`."""

    operand: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Keyword:
    """`axis=0` in a call."""

    name: str
    value: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Generator:
    """`body for i, j in range(n) if filter`: the argument of a reduction."""

    body: Expression
    clauses: tuple[ForClause, ...]
    filters: tuple[Expression, ...]
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class ForClause:
    """`for i` (range inferred), `for i in range(a, b)`, `for i in d` or `for i in 3`.

    `for i, j` is two clauses. `start` is None when the range begins at 0, `stop` is None when
    the range is inferred.
    """

    index: str
    start: Expression | None
    stop: Expression | None
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Call:
    """`f(a, b, axis=0)`; a Generator can only be the first argument."""

    function: str
    arguments: tuple[Expression | Generator, ...]
    keywords: tuple[Keyword, ...]
    function_span: Span = _place()
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Array:
    """`[1, 2, 3]` or nested: only as a default or a start value."""

    elements: tuple[Expression, ...]
    span: Span = _place()


Expression = (
    Number
    | Name
    | Chain
    | Power
    | Negate
    | Compare
    | Logical
    | Not
    | Conditional
    | Subscript
    | Transpose
    | Call
    | Array
)

# ── statements ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class DimDeclaration:
    """`dim n` or `dim k = 10`; one node for each name of the list."""

    name: str
    default: Expression | None
    description: str | None
    name_span: Span = _place()
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class DataFile:
    """`from "points.csv"` behind a line of data: the file that its names are read from."""

    text: str
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class DataDeclaration:
    """`data X[n, d]`, `data s = 2.0`, `data cam[m] in ncam` (then `index_of` is `ncam`).

    All names of a line have its `file`, if it has one.
    """

    name: str
    shape: tuple[Expression, ...]
    index_of: Expression | None
    default: Expression | None
    description: str | None
    file: DataFile | None
    name_span: Span = _place()
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a parameter's bounds: `> 0` is open, `>= 0` closed."""

    value: Expression
    open: bool
    span: Span = _place()


Packing = Literal["lower", "strict lower", "symmetric"]


@dataclass(frozen=True, slots=True)
class ParamDeclaration:
    """`param w[d] in [0, 1] init 0 "a weight"`; one node for each name of the list."""

    name: str
    shape: tuple[Expression, ...]
    lower: Bound | None
    upper: Bound | None
    packing: Packing | None
    init: Expression | None
    description: str | None
    name_span: Span = _place()
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class SampleDeclaration:
    """`sample n`."""

    dim: str
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Loss:
    """`loss huber(1.0) elementwise` behind a residual."""

    name: str
    arguments: tuple[Expression, ...]
    elementwise: bool
    span: Span = _place()


Mark = Literal["model", "residual", "report"]


@dataclass(frozen=True, slots=True)
class Definition:
    """`model z[i] = e for i in range(n)`; `accumulate` for `+=`.

    `subscripts` is None for a bare name (array notation); otherwise the expressions between the
    brackets on the left: plain index names, integer expressions in a recurrence's cases, and
    gathers (`g[label[i]] += ...`).
    """

    name: str
    subscripts: tuple[Expression, ...] | None
    accumulate: bool
    value: Expression
    clauses: tuple[ForClause, ...]
    filters: tuple[Expression, ...]
    mark: Mark | None
    loss: Loss | None
    description: str | None
    name_span: Span = _place()
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Argument:
    """`x` or `x[2]` in the head of a function."""

    name: str
    shape: tuple[Expression, ...] | None
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """`def f(r, k) = e`, or with a body in braces: definitions, then `return e`."""

    name: str
    arguments: tuple[Argument, ...]
    body: tuple[Definition, ...]
    value: Expression
    braces: bool
    name_span: Span = _place()
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Import:
    """`import "camera.sym"`."""

    path: str
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Objective:
    """`minimize e` or `maximize e`."""

    sense: Literal["minimize", "maximize"]
    value: Expression
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class FiniteExpectation:
    """`expect finite`."""

    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Expectation:
    """`expect w[2] == 0.5 within 1e-3`; without `within`, `tolerance` is None."""

    condition: Expression
    tolerance: Expression | None
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Unread:
    """A statement with a syntax error; what it was to define or read are among `names`."""

    names: frozenset[str]
    span: Span = _place()


Statement = (
    DimDeclaration
    | DataDeclaration
    | ParamDeclaration
    | SampleDeclaration
    | Definition
    | FunctionDefinition
    | Import
    | Objective
    | FiniteExpectation
    | Expectation
    | Unread
)


@dataclass(frozen=True, slots=True)
class File:
    """One `.sym` file, its statements in the order written."""

    statements: tuple[Statement, ...]
    source: Source = field(compare=False, repr=False)
