"""Functions of vectors, along the last axis: softmax, log_softmax, cross_entropy, kl."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.source import Span
from symopt.typed import errors, index_errors
from symopt.typed.program import Apply, Count, Number, Product, Scalar, Sum
from symopt.typed.reductions import REDUCTIONS, over_axes
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
    """Σ p log(p/q) over the last axis; an element with p = 0 counts 0."""
    if p.shape != q.shape:
        return elaborator.fail(
            errors.cannot_combine("compare", p.shape, q.shape, p.span, q.span, span), span
        )
    log = PRIMITIVES["log"]

    def term(a: Scalar, b: Scalar) -> Scalar:
        ratio = Sum((Apply(log, (a,), span), Product((Number(-1.0), Apply(log, (b,), span)))))
        return Apply(operators.smul, (a, ratio), span)

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


# By name: how many arrays they take, and what they make of these.
VECTOR_FUNCTIONS: dict[str, tuple[int, Callable[..., Value]]] = {
    "softmax": (1, _softmax),
    "log_softmax": (1, _log_softmax),
    "cross_entropy": (2, _cross_entropy),
    "kl": (2, _kl),
}
