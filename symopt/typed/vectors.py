"""Functions of vectors, along the last axis (softmax, kl, rotate, ...), and those of matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.source import Span
from symopt.typed import errors, index_errors, matrices
from symopt.typed.program import Apply, Count, Number, Product, Scalar, Sum
from symopt.typed.reductions import REDUCTIONS, over_axes
from symopt.typed.rotations import rotate
from symopt.typed.sharing import shared
from symopt.typed.subscripts import placed
from symopt.typed.values import Place, Value, mapped
from symopt.types import constant

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def _log_normalizer(elaborator: Elaborator, logits: Value) -> Value:
    """log(sum(exp(row))) for every row, under a name of its own."""
    return shared(
        elaborator,
        over_axes(elaborator, logits, len(logits.shape) - 1, REDUCTIONS["logsumexp"], logits.span),
        "logsumexp",
    )


def _log_softmax(elaborator: Elaborator, logits: Value, span: Span) -> Value:
    logits = shared(elaborator, logits, "logits")
    normalizer = _log_normalizer(elaborator, logits)
    return Value(
        logits.shape,
        lambda place: Sum((logits.at(place), Product((Number(-1.0), normalizer.at(place[:-1]))))),
        span,
    )


def _softmax(elaborator: Elaborator, logits: Value, span: Span) -> Value:
    logs = _log_softmax(elaborator, logits, span)
    return mapped(logs.shape, (logs,), lambda s: Apply(PRIMITIVES["exp"], s, span), span)


def _cross_entropy(elaborator: Elaborator, logits: Value, label: Value, span: Span) -> Value:
    """−log softmax(logits)[label] per row; a row of probabilities may stand for a label."""
    logs = _log_softmax(elaborator, logits, span)
    if label.shape == logits.shape:
        return _rows(elaborator, logs, label, span, lambda log, p: Product((Number(-1.0), p, log)))
    if label.shape != logits.shape[:-1]:
        diagnostic = errors.wrong_shape("labels", logits.shape[:-1], label.shape, label.span)
        return elaborator.fail(diagnostic, span)
    probe = label.at(tuple(constant(0) for _ in label.shape))
    if not isinstance(probe, Count):
        return elaborator.fail(index_errors.real_index(label.span, "real labels"), span)

    def at(place: Place) -> Scalar:
        entry = label.at(place)
        assert isinstance(entry, Count)
        axis = constant(0), logits.shape[-1]
        row = placed(elaborator, entry.value, axis, label.span, "logits")
        return Product((Number(-1.0), logs.at((*place, row))))

    return Value(logits.shape[:-1], at, span)


def _kl(elaborator: Elaborator, p: Value, q: Value, span: Span) -> Value:
    """Σ p log(p/q) over the last axis; an element with p = 0 counts 0, in derivatives too."""
    if p.shape != q.shape:
        return elaborator.fail(
            errors.cannot_combine("compare", p.shape, q.shape, p.span, q.span, span), span
        )
    log = PRIMITIVES["log"]

    def term(a: Scalar, b: Scalar) -> Scalar:
        ratio = Sum((Apply(log, (a,), span), Product((Number(-1.0), Apply(log, (b,), span)))))
        # Not a strong product: its slope by p would be infinite at 0, where softmax underflows.
        nothing = Apply(operators.equal, (a, Number(0.0)), span)
        return Apply(operators.select, (nothing, Number(0.0), Product((a, ratio))), span)

    return _rows(elaborator, shared(elaborator, p, "p"), shared(elaborator, q, "q"), span, term)


def _rows(
    elaborator: Elaborator,
    a: Value,
    b: Value,
    span: Span,
    term: Callable[[Scalar, Scalar], Scalar],
) -> Value:
    """The sum over the last axis of a function of two arrays of one shape."""
    product = Value(a.shape, lambda place: term(a.at(place), b.at(place)), span)
    return over_axes(elaborator, product, len(a.shape) - 1, REDUCTIONS["sum"], span)


@dataclass(frozen=True, slots=True)
class VectorFunction:
    """A function of arrays: what it takes, what it is, and what it makes of their values."""

    arguments: tuple[str, ...]
    summary: str
    derivative: str
    build: Callable[..., Value]
    of_matrices: bool = False


VECTOR_FUNCTIONS: dict[str, VectorFunction] = {
    "softmax": VectorFunction(
        ("v",),
        "exp(v) / sum(exp(v)) along the last axis, for numbers of any size",
        "y_i ([i = j] - y_j)",
        _softmax,
    ),
    "log_softmax": VectorFunction(
        ("v",),
        "v - logsumexp(v) along the last axis",
        "[i = j] - softmax(v)_j",
        _log_softmax,
    ),
    "cross_entropy": VectorFunction(
        ("logits", "label"),
        "-log_softmax(logits)[label], a number a row; a row of probabilities may stand for a label",
        "softmax(logits)_j - [j = label]",
        _cross_entropy,
    ),
    "kl": VectorFunction(
        ("p", "q"),
        "sum(p * log(p / q)) along the last axis; an element with p = 0 counts 0",
        "by p: log(p / q) + 1; by q: -p / q; 0 where p = 0, by p too",
        _kl,
    ),
    "rotate": VectorFunction(
        ("w", "x"),
        "the 3-vector x turned by the angle-axis vector w; axes before the last are broadcast",
        "smooth everywhere, at w = 0 too",
        rotate,
    ),
    "inv": VectorFunction(
        ("M",),
        "the inverse of a square matrix; nan where that is singular",
        "dX = -X dM X",
        matrices.inverse,
        of_matrices=True,
    ),
    "det": VectorFunction(
        ("M",),
        "the determinant",
        "dy = y trace(inv(M) dM), which is not finite at a singular matrix",
        matrices.determinant,
        of_matrices=True,
    ),
    "logdet": VectorFunction(
        ("M",),
        "log(det(M)) for a determinant of any size; nan where that is negative, -inf where it is 0",
        "dy = trace(inv(M) dM)",
        matrices.log_determinant,
        of_matrices=True,
    ),
    "cholesky": VectorFunction(
        ("M",),
        "the lower L with L @ L.T = (M + M.T)/2; nan where that is not positive definite",
        "dL = L P(inv(L) dM inv(L.T)), P the lower triangle with half the diagonal",
        matrices.cholesky,
        of_matrices=True,
    ),
    "solve": VectorFunction(
        ("A", "b"),
        "x with A @ x = b, for a vector b or the columns of a matrix b",
        "dx = inv(A) (db - dA x)",
        matrices.solve,
        of_matrices=True,
    ),
}
