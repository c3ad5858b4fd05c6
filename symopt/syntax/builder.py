"""Makes tree nodes as the parser recognises the rules of the grammar, from the leaves up.

There is one method for each rule, called with what the rule matched: tokens, nodes, and for
rules that can be empty or stand for no node of their own a `Part`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from symopt.source import Span
from symopt.syntax import errors, tree
from symopt.syntax.scanner import Token

Children = list[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a statement that is no tree node; `span` is None where nothing was written."""

    value: Any
    span: Span | None


def _cover(children: Children) -> Span:
    """The span from the first to the last child that was written."""
    spans = [child.span for child in children if child.span is not None]
    return spans[0].to(spans[-1])


def _part(value: object, children: Children) -> Part:
    return Part(value, _cover(children) if children else None)


def _nodes(children: Children) -> tuple[Any, ...]:
    """The children without brackets, commas and words."""
    return tuple(child for child in children if not isinstance(child, Token))


def _first(children: Children) -> tree.Expression | None:
    nodes = _nodes(children)
    return nodes[0] if nodes else None


def _texts(children: Children) -> list[str]:
    return [child.text for child in children if isinstance(child, Token)]


def _identifier(token: Token) -> str:
    # Python normalises its identifiers the same way, so `bind(µ=...)` finds its parameter.
    return token.text if token.text.isascii() else unicodedata.normalize("NFKC", token.text)


class TreeBuilder:
    """The methods are named after the rules of the grammar (or their `->` names)."""

    # ── declarations ─────────────────────────────────────────────────────────────────────────

    def dim(self, children: Children) -> tuple[tree.DimDeclaration, ...]:
        return _nodes(children)

    param = dim

    def data(self, children: Children) -> tuple[tree.DataDeclaration, ...]:
        *declarations, file = _nodes(children)
        if file.value is None:
            return tuple(declarations)
        return tuple(replace(one, file=file.value) for one in declarations)

    def data_file(self, children: Children) -> Part:
        if not children:
            return Part(None, None)
        span = _cover(children)
        return Part(tree.DataFile(children[1].text[1:-1], span), span)

    def dim_item(self, children: Children) -> tree.DimDeclaration:
        name, *default, description = children
        return tree.DimDeclaration(
            name=_identifier(name),
            default=default[1] if default else None,
            description=description.value,
            name_span=name.span,
            span=_cover(children),
        )

    def data_item(self, children: Children) -> tree.DataDeclaration:
        name, shape, index_of, default, description = children
        return tree.DataDeclaration(
            name=_identifier(name),
            shape=shape.value,
            index_of=index_of.value,
            default=default.value,
            description=description.value,
            file=None,
            name_span=name.span,
            span=_cover(children),
        )

    def param_item(self, children: Children) -> tree.ParamDeclaration:
        name, shape, bounds, packing, start, description = children
        lower, upper = bounds.value
        return tree.ParamDeclaration(
            name=_identifier(name),
            shape=shape.value,
            lower=lower,
            upper=upper,
            packing=packing.value,
            init=start.value,
            description=description.value,
            name_span=name.span,
            span=_cover(children),
        )

    def shape(self, children: Children) -> Part:
        return _part(_nodes(children), children)

    def default(self, children: Children) -> Part:
        return _part(_first(children), children)

    index_of = default

    def bounds(self, children: Children) -> Part:
        match children:
            case []:
                return Part((None, None), None)
            case [Token(type="ORDER", text=order) as sign, value]:
                bound = tree.Bound(value, "=" not in order, sign.span.to(value.span))
                return _part((bound, None) if order[0] == ">" else (None, bound), children)
            case [_, opening, low, _, high, closing]:
                lower = tree.Bound(low, opening.text == "(", opening.span.to(low.span))
                upper = tree.Bound(high, closing.text == ")", high.span.to(closing.span))
                return _part((lower, upper), children)
        raise AssertionError(children)

    def packing(self, children: Children) -> Part:
        return _part(" ".join(_texts(children)[1:]) or None, children)

    def start(self, children: Children) -> Part:
        match children:
            case [_, then, Token(type="IF"), condition, _, otherwise]:
                value = self.conditional([then, None, condition, None, otherwise])
                return _part(value, children)
        return _part(_first(children), children)

    def description(self, children: Children) -> Part:
        return _part(children[0].text[1:-1] if children else None, children)

    def array(self, children: Children) -> tree.Array:
        return tree.Array(_nodes(children), _cover(children))

    def sample(self, children: Children) -> tree.SampleDeclaration:
        return tree.SampleDeclaration(_identifier(children[1]), _cover(children))

    # ── definitions ──────────────────────────────────────────────────────────────────────────

    def definition(self, children: Children) -> tree.Definition:
        assignment, description = children[-2:]
        mark = children[0].text if len(children) == 3 else None
        span = _cover(children)
        return replace(assignment, mark=mark, description=description.value, span=span)

    def residual(self, children: Children) -> tree.Definition:
        _, assignment, loss, description = children
        return replace(
            assignment,
            mark="residual",
            loss=loss.value,
            description=description.value,
            span=_cover(children),
        )

    def loss(self, children: Children) -> Part:
        if not children:
            return Part(None, None)
        elementwise = children[-1].text == "elementwise"
        span = _cover(children)
        loss = tree.Loss(_identifier(children[1]), _nodes(children), elementwise, span)
        return Part(loss, span)

    def assignment(self, children: Children) -> tree.Definition:
        name, indices, sign, value, *rest = children
        clauses, filters = rest[0].value if rest else ((), ())
        return tree.Definition(
            name=_identifier(name),
            subscripts=indices.value,
            accumulate=sign.text == "+=",
            value=value,
            clauses=clauses,
            filters=filters,
            mark=None,
            loss=None,
            description=None,
            name_span=name.span,
            span=_cover(children),
        )

    def indices(self, children: Children) -> Part:
        return _part(_nodes(children) if children else None, children)

    def loops(self, children: Children) -> Part:
        clauses = tuple(c for part in children if part.value[0] for c in part.value[0])
        filters = tuple(part.value[1] for part in children if part.value[0] is None)
        return _part((clauses, filters), children)

    def clause(self, children: Children) -> Part:
        """Names before an `in` share its range: `i, j in 3` is `i in 3` and `j in 3`."""
        clauses: list[tree.ForClause] = []
        start = stop = None
        for loop in reversed(_nodes(children)):
            name, bounds = loop.value
            start, stop = bounds or (start, stop)
            clauses.append(tree.ForClause(_identifier(name), start, stop, loop.span))
        return _part((tuple(reversed(clauses)), None), children)

    def loop(self, children: Children) -> Part:
        name, *rest = children
        return _part((name, _range(rest[1]) if rest else None), children)

    def filter(self, children: Children) -> Part:
        return _part((None, children[1]), children)

    def function(self, children: Children) -> tree.FunctionDefinition:
        _, name, *rest = children
        formals = tuple(child for child in rest if isinstance(child, tree.Argument))
        last = rest[-1]
        braces = isinstance(last, Part)
        body, value = last.value if braces else ((), last)
        return tree.FunctionDefinition(
            name=_identifier(name),
            arguments=formals,
            body=body,
            value=value,
            braces=braces,
            name_span=name.span,
            span=_cover(children),
        )

    def formal(self, children: Children) -> tree.Argument:
        name, shape = children
        return tree.Argument(_identifier(name), shape.value or None, _cover(children))

    def body(self, children: Children) -> Part:
        *assignments, value = _nodes(children)
        return _part((tuple(assignments), value), children)

    def inclusion(self, children: Children) -> tree.Import:
        return tree.Import(children[1].text[1:-1], _cover(children))

    def objective(self, children: Children) -> tree.Objective:
        sense, value = children
        return tree.Objective(sense.text, value, _cover(children))

    def expectation(self, children: Children) -> tree.FiniteExpectation | tree.Expectation:
        span = _cover(children)
        match children:
            case [_, Token()]:
                return tree.FiniteExpectation(span)
            case [_, condition]:
                return tree.Expectation(condition, None, span)
            case [_, condition, _, tolerance]:
                return tree.Expectation(condition, tolerance, span)
        raise AssertionError(children)

    # ── expressions ──────────────────────────────────────────────────────────────────────────

    def conditional(self, children: Children) -> tree.Conditional:
        then, _, condition, _, otherwise = children
        return tree.Conditional(condition, then, otherwise, _cover([then, otherwise]))

    def disjunction(self, children: Children) -> tree.Logical:
        return tree.Logical("or", _nodes(children), _cover(children))

    def conjunction(self, children: Children) -> tree.Logical:
        return tree.Logical("and", _nodes(children), _cover(children))

    def negation(self, children: Children) -> tree.Not:
        return tree.Not(children[1], _cover(children))

    def comparison(self, children: Children) -> tree.Compare:
        signs: Any = tuple(_texts(children))
        return tree.Compare(_nodes(children), signs, _cover(children))

    def sum(self, children: Children) -> tree.Chain:
        first, *operands = _nodes(children)
        signs: Any = _texts(children)
        rest = tuple(zip(signs, operands, strict=True))
        return tree.Chain(first, rest, _cover(children))

    product = sum

    def signed(self, children: Children) -> tree.Expression:
        sign, operand = children
        span = _cover(children)
        return tree.Negate(operand, span) if sign.text == "-" else replace(operand, span=span)

    def power(self, children: Children) -> tree.Power:
        base, _, exponent = children
        return tree.Power(base, exponent, _cover(children))

    def name(self, children: Children) -> tree.Name:
        return tree.Name(_identifier(children[0]), children[0].span)

    def number(self, children: Children) -> tree.Number:
        (token,) = children
        return tree.Number(float(token.text), token.text.isdecimal(), token.span)

    def group(self, children: Children) -> tree.Expression:
        return replace(children[1], span=_cover(children))

    def call(self, children: Children) -> tree.Call:
        name, _, *inner, _ = children
        arguments, keywords = inner[0].value if inner else ((), ())
        return tree.Call(_identifier(name), arguments, keywords, name.span, _cover(children))

    def arguments(self, children: Children) -> Part:
        keywords: list[tree.Keyword] = []
        arguments: list[tree.Expression] = []
        for argument in _nodes(children):
            if isinstance(argument, tree.Keyword):
                keywords.append(argument)
            elif keywords:
                raise errors.Rejection(errors.positional_after_keyword(argument.span))
            else:
                arguments.append(argument)
        return _part((tuple(arguments), tuple(keywords)), children)

    def keyword(self, children: Children) -> tree.Keyword:
        name, _, value = children
        return tree.Keyword(_identifier(name), value, _cover(children))

    def generator(self, children: Children) -> Part:
        body, loops = children
        clauses, filters = loops.value
        generator = tree.Generator(body, clauses, filters, _cover(children))
        return _part(((generator,), ()), children)

    def subscripted(self, children: Children) -> tree.Subscript:
        base, *subscripts = _nodes(children)
        return tree.Subscript(base, tuple(subscripts), _cover(children))

    def transpose(self, children: Children) -> tree.Transpose:
        return tree.Transpose(children[0], _cover(children))

    def slice(self, children: Children) -> tree.Slice:
        colon = next(i for i, child in enumerate(children) if isinstance(child, Token))
        start, stop = _first(children[:colon]), _first(children[colon:])
        return tree.Slice(start, stop, _cover(children))


def _range(written: tree.Expression) -> tuple[tree.Expression | None, tree.Expression]:
    """Start and stop of what follows `in`: `range(a, b)`, or a size that stands for a range."""
    if not isinstance(written, tree.Call) or written.function != "range":
        return None, written
    plain = [a for a in written.arguments if not isinstance(a, tree.Generator)]
    if len(plain) not in (1, 2) or written.keywords:
        raise errors.Rejection(errors.malformed_range(written.span))
    return (plain[0] if len(plain) == 2 else None), plain[-1]
