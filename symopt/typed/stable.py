"""Stable forms: what over- or underflows as written is computed in another way.

Each rule is an identity of real numbers whose right side is as accurate everywhere, up to a
rounding of an exponent, and finite wherever the result is. The rules look through the names of
plain definitions: `log(1 + e)` is stable where `e = exp(z)` has a line of its own. That line stays
as it is, and is not computed where nothing else needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from symopt.source import Span
from symopt.typed.complements import difference
from symopt.typed.forms import Form, argument_of
from symopt.typed.logarithms import logarithm, logarithm_of_one_plus
from symopt.typed.opening import Names, rebuilt
from symopt.typed.program import Apply, Definition, Rewrite, Scalar, Sum
from symopt.typed.quotients import quotient, root


def stabilise(definitions: Iterable[Definition]) -> tuple[list[Definition], list[Rewrite]]:
    """The definitions in stable form, with those that it needs, and what was rewritten in them."""
    given = tuple(definitions)
    count = Counter(definition.name for definition in given)
    names = Names()
    result: list[Definition] = []
    rewrites: list[Rewrite] = []
    for definition in given:
        rewriter = _Rewriter(names, definition.span)
        done = replace(definition, body=rewriter.scalar(definition.body))
        result.append(done)
        rewrites.extend(rewriter.found)
        names.add(done, alone=count[definition.name] == 1)
    return names.finished(result), list(dict.fromkeys(rewrites))


@dataclass(slots=True)
class _Rewriter:
    """Rewrites one body from the inside out; `span` is the definition's, for parts without one."""

    names: Names
    span: Span
    found: list[Rewrite] = field(default_factory=list)

    def scalar(self, scalar: Scalar) -> Scalar:
        done = rebuilt(scalar, self.scalar)
        if not isinstance(done, Sum | Apply):
            return done
        span = done.span or self.span
        self.names.trail.clear()
        form = (
            difference(self.names, done, span)
            if isinstance(done, Sum)
            else _stable_call(self.names, done)
        )
        if form is None:
            return done
        self.names.keep(form.scalar)
        through = dict.fromkeys(one.span for one in self.names.trail)
        self.found.append(Rewrite(span, form.before, form.after, tuple(through)))
        return form.scalar


def _stable_call(names: Names, call: Apply) -> Form | None:
    argument, span = call.arguments[0], call.span
    match call.function.name:
        case "log":
            return logarithm(names, argument, span)
        case "log1p":
            return logarithm_of_one_plus(names, argument, span)
        case "logit":
            z = argument_of(names, argument, "sigmoid")
            return None if z is None else Form(z, "logit(sigmoid(z))", "z")
        case "sqrt":
            return root(argument, span)
        case "divide":
            return quotient(names, argument, call.arguments[1], span)
    return None
