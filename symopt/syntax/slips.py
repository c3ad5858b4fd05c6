"""Recognises common slips where the parser stopped, to name the mistake instead of the token.

Each recogniser looks at the tokens around the place and either knows the slip, or returns None;
the first that knows it is believed. The tests hold a sample of every slip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from symopt.diagnostics import Diagnostic
from symopt.source import Span
from symopt.syntax.errors import mistake, quoted, unexpected_token
from symopt.syntax.scanner import Token

RESERVED = {
    "subject": "bounds on a parameter are written `param x > 0`",
    "constraint": "bounds on a parameter are written `param x > 0`",
    "stream": "batches are given when the problem is run, not in the file",
}

_LEADING_WORDS = (
    *("dim", "data", "param", "sample", "model", "residual", "report", "def", "import"),
    *("minimize", "maximize", "expect"),
)
_SYNONYMS = {
    **dict.fromkeys(("let", "var", "set", "const", "local", "auto", "float", "real"), ""),
    **dict.fromkeys(("parameter", "parameters", "variable", "unknown", "fit"), "param"),
    **dict.fromkeys(("min", "minimise", "minimum", "loss", "objective", "cost"), "minimize"),
    **dict.fromkeys(("max", "maximise", "maximum"), "maximize"),
    **dict.fromkeys(("input", "array", "given", "observed"), "data"),
    **dict.fromkeys(("function", "func", "fn", "fun"), "def"),
    **dict.fromkeys(("index", "size", "dimension"), "dim"),
    **dict.fromkeys(("include", "using", "use", "from", "load"), "import"),
    **dict.fromkeys(("output", "print", "show"), "report"),
    **dict.fromkeys(("assert", "check", "test", "require", "expected"), "expect"),
}
_LONGEST_WORD = 40  # no keyword is near a longer one
_OPERAND = ("NAME", "NUMBER", "LPAR", "STRING")
_OPERAND_END = ("NAME", "NUMBER", "RPAR", "RSQB", "TRANSPOSE")
_OPERATORS = ("SIGN", "TIMES", "POWER", "ORDER", "EQUALITY", "AND", "OR", "NOT", "EQUAL")


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the parser stopped: a statement's tokens, the place among them, what would do.

    The last token is `$END`. `keywords` are the words that would do, `reserved` the terminals
    of all words that are never names.
    """

    tokens: tuple[Token, ...]
    index: int
    accepted: frozenset[str]
    keywords: frozenset[str]
    reserved: frozenset[str]

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    @property
    def span(self) -> Span:
        return self.token.span

    @property
    def leading(self) -> Token:
        return self.tokens[0]

    @property
    def previous(self) -> Token | None:
        return self.tokens[self.index - 1] if self.index else None

    @property
    def following(self) -> Token | None:
        return self.tokens[self.index + 1] if self.index + 1 < len(self.tokens) else None

    def previous_is(self, *types: str) -> bool:
        return self.previous is not None and self.previous.type in types

    def following_is(self, *texts: str) -> bool:
        return self.following is not None and self.following.text in texts

    def written_before(self, *texts: str) -> bool:
        return any(token.text in texts for token in self.tokens[: self.index])


def explain(stop: Stop) -> Diagnostic:
    """The diagnostic for a statement that the parser could not read to its end."""
    for recognise in _SLIPS:
        if diagnostic := recognise(stop):
            return diagnostic
    return unexpected_token(stop.token.type, stop.span, stop.accepted)


def reserved_word(token: Token) -> Diagnostic:
    """A word kept for a later version of the language."""
    message = f"`{token.text}` is reserved for a later version of the language"
    return mistake("reserved-word", message, token.span, "", RESERVED[token.text])


# ── the first word of a statement ────────────────────────────────────────────────────────────


def _unknown_leading_word(stop: Stop) -> Diagnostic | None:
    """`parm w[d]`, `let x = 3`, `minimise f(x)`."""
    word = stop.leading.text[:_LONGEST_WORD]
    if stop.leading.type != "NAME" or stop.index != 1 or stop.token.type not in _OPERAND:
        return None
    close = get_close_matches(word.lower(), _LEADING_WORDS, n=1, cutoff=0.7)
    meant = _SYNONYMS.get(word.lower(), close[0] if close else None)
    if meant is None and stop.token.type == "LPAR":
        return None
    fix = f"did you mean `{meant}`?" if meant else "a statement is a declaration or `name = ...`"
    if meant == "":
        fix = f"leave `{word}` out: a definition is `name = ...`, an unknown is `param name`"
    message = f"no statement begins with `{word}`"
    return mistake("unknown-statement", message, stop.leading.span, "", fix)


def _statement_as_in_other_languages(stop: Stop) -> Diagnostic | None:
    """`if x > 0: ...`, `for i in range(n): ...`."""
    if stop.index != 0:
        return None
    fixes = {
        "IF": "`if` is part of an expression: `z = a if condition else b`",
        "ELSE": "`else` is part of an expression: `z = a if condition else b`",
        "FOR": "loops are written with indices: `z[i] = x[i]^2`, or `sum(x[i] for i)`",
    }
    if fix := fixes.get(stop.token.type):
        message = f"no statement begins with `{stop.token.text}`"
        return mistake("unknown-statement", message, stop.span, "", fix)
    if stop.token.type in _OPERATORS:
        message = f"the line begins with `{stop.token.text}`"
        fix = "to continue a statement over several lines, put its expression in brackets"
        return mistake("continued-line", message, stop.span, "", fix)
    return None


def _keyword_as_name(stop: Stop) -> Diagnostic | None:
    """`model = X @ w`, `in = 3`, `param for init 0`."""
    word = stop.token
    if stop.token.type == "EQUAL" and stop.index == 1 and stop.leading.text in _LEADING_WORDS:
        word = stop.leading
        fix = f"write `{word.text} name = ...`, or choose another name"
        if word.text in ("minimize", "maximize"):
            fix = f"write `{word.text} ...` without `=`"
    elif stop.token.type in stop.reserved and stop.accepted == {"NAME"}:
        fix = "choose another name"
    else:
        return None
    message = f"`{word.text}` is a keyword and cannot be a name here"
    return mistake("keyword-as-name", message, word.span, "", fix)


# ── equals signs ─────────────────────────────────────────────────────────────────────────────


def _wrong_definition_sign(stop: Stop) -> Diagnostic | None:
    """`z == 3`, `z := 3`, `z <- 3`, `z -= 3`."""
    if "EQUAL" not in stop.accepted or stop.leading.type == "SAMPLE":
        return None
    text, fix = stop.token.text, "a definition is written with `=`"
    if text in ("+", "-", "*", "/") and stop.following_is("="):
        text, fix = text + "=", "only `+=` accumulates; a name is defined once"
    elif text == ":" and stop.following_is("="):
        text = ":="
    elif text == "<" and stop.following_is("-"):
        text = "<-"
    elif text != "==":
        return None
    span = Span(stop.span.source, stop.span.start, stop.span.start + len(text))
    return mistake("wrong-sign", f"found `{text}`, expected `=`", span, "", fix)


def _equals_as_comparison(stop: Stop) -> Diagnostic | None:
    """`z = 1 if x = 0 else 2`, `param w = 0`."""
    if stop.token.type != "EQUAL" or stop.index < 2:
        return None
    span = stop.span
    if stop.leading.type == "PARAM" and "EQUALITY" not in stop.accepted:
        fix = "a start value is written `init 0`; a fixed number is `data name = 0`"
        return mistake("wrong-sign", "found `=` in a `param`", span, "", fix)
    if "EQUALITY" in stop.accepted:
        fix = "equality is tested with `==`; a statement defines one name"
        return mistake("wrong-sign", "found `=` inside an expression", span, "", fix)
    return None


def _missing_equals(stop: Stop) -> Diagnostic | None:
    """`z[i] x[i] + 1`, `x + 1`, `z`."""
    if "ACCUMULATE" not in stop.accepted or stop.leading.type == "DEF":
        return None
    if stop.leading.type == "NAME" and stop.token.type == "LPAR" and stop.index == 1:
        fix = f"indices are written in square brackets: `{stop.leading.text}[i] = ...`"
        return mistake("missing-equals", "found `(`, expected `=`", stop.span, "", fix)
    if stop.token.type == "COLON":
        return None
    help = "a definition is `name = expression`; the objective is `minimize expression`"
    return unexpected_token(stop.token.type, stop.span, ("EQUAL",), help)


# ── functions and loops ──────────────────────────────────────────────────────────────────────


def _python_function(stop: Stop) -> Diagnostic | None:
    """`def f(x): return x`, `lambda x: x^2`."""
    if stop.leading.type == "DEF" and stop.token.type == "COLON" and "EQUAL" in stop.accepted:
        fix = "write `def f(x) = ...`, or a body in braces that ends with `return ...`"
        return mistake("python-function", "found `:`, expected `=`", stop.span, "", fix)
    if stop.previous is not None and stop.previous.text == "lambda":
        fix = "give the function a name: `def f(x) = ...`"
        message = "functions without a name are not part of the language"
        return mistake("python-function", message, stop.previous.span, "", fix)
    return None


def _missing_return(stop: Stop) -> Diagnostic | None:
    """`def f(x) { y = x }`."""
    if stop.token.type == "RBRACE" and stop.leading.type == "DEF":
        if stop.written_before("return"):
            return None
        fix = "the last line of a body is `return expression`"
        return mistake("missing-return", "this body returns nothing", stop.span, "", fix)
    return None


def _wrong_range(stop: Stop) -> Diagnostic | None:
    """`for i in 0:n`, `x[0:10:2]`, `z[:, 0] = 1`."""
    if stop.token.type != "COLON":
        return None
    if _last_of(stop, "FOR", "IN", "LSQB") == "IN":
        fix = "write `for i in range(0, n)`"
        return mistake("wrong-range", "a range is not written with `:`", stop.span, "", fix)
    if stop.written_before(":"):
        fix = "pick every second entry with an index: `y[i] = x[2*i] for i in range(m)`"
        return mistake("wrong-range", "a slice has no step", stop.span, "", fix)
    if stop.leading.type == "NAME" and not stop.written_before("=", "+="):
        fix = "name the index: `z[i, 0] = ...`"
        message = "slices cannot be assigned to"
        return mistake("wrong-range", message, stop.span, "", fix)
    return None


def _last_of(stop: Stop, *types: str) -> str | None:
    return next((t.type for t in stop.tokens[stop.index - 1 :: -1] if t.type in types), None)


def _range_with_equals(stop: Stop) -> Diagnostic | None:
    """`for i = 1:n`."""
    if stop.token.type != "EQUAL" or stop.index < 2 or stop.tokens[stop.index - 2].type != "FOR":
        return None
    fix = "a range is written `for i in range(0, n)`"
    return mistake("wrong-range", "found `=`, expected `in`", stop.span, "", fix)


def _generator_with_more(stop: Stop) -> Diagnostic | None:
    """`sum(x[i] for i, axis=0)`, `norm(x[i] for i, 2)`."""
    before = [token.type for token in stop.tokens[: stop.index]]
    in_call = before.count("LPAR") > before.count("RPAR")
    if not in_call or _last_of(stop, "FOR", "LPAR") != "FOR":
        return None
    if stop.token.type in ("EQUAL", "COMMA") or before[-1] == "COMMA":
        fix = "a sum over indices takes nothing else; its indices say what is summed"
        message = "nothing can follow the `for` in a call"
        return mistake("generator-not-alone", message, stop.span, "", fix)
    return None


# ── declarations ─────────────────────────────────────────────────────────────────────────────


def _round_shape(stop: Stop) -> Diagnostic | None:
    """`data X(n, d)`."""
    if stop.token.type != "LPAR" or stop.leading.type not in ("DATA", "PARAM"):
        return None
    if not stop.previous_is("NAME") or "LSQB" not in stop.accepted or "TIMES" in stop.accepted:
        return None
    fix = "sizes are written in square brackets: `X[n, d]`"
    return mistake("round-shape", "found `(`, expected `[`", stop.span, "", fix)


def _start_of_data(stop: Stop) -> Diagnostic | None:
    """`data s init 2`."""
    if stop.leading.type != "DATA" or stop.token.text != "init":
        return None
    fix = "the default of data is written `= 2.0`; only a `param` has a start"
    return mistake("wrong-order", "found `init` in `data`", stop.span, "", fix)


def _param_order(stop: Stop) -> Diagnostic | None:
    """`param w[d] init 0 > 0`, `param w > 0 < 1`."""
    text = stop.token.text
    if stop.leading.type != "PARAM" or not (stop.token.type in ("ORDER", "IN") or text == "as"):
        return None
    part = _last_of(stop, "COMMA", "ORDER", "INIT")
    if part == "INIT":
        fix = "write `param s > 0 init 1` or `param L[d, d] as lower init 0`"
        message = f"`{text}` comes after the start value"
        return mistake("wrong-order", message, stop.span, "", fix)
    if part == "ORDER":
        fix = "two bounds are written `in (0, 1)` or, with the ends, `in [0, 1]`"
        return mistake("wrong-order", "found a second bound", stop.span, "", fix)
    return None


def _file_of_param(stop: Stop) -> Diagnostic | None:
    """`param w[d] from "w.csv"`."""
    if stop.token.text != "from" or stop.leading.type != "PARAM":
        return None
    fix = 'read the start as data: `data w0[d] from "w.csv"`, then `param w[d] init w0`'
    return mistake("file-of-param", "only `data` is read from a file", stop.span, "", fix)


def _loss_without_residual(stop: Stop) -> Diagnostic | None:
    """`z[i] = y[i] - x[i] loss huber(1)`."""
    if stop.token.text != "loss" or stop.leading.type == "RESIDUAL":
        return None
    fix = "write `residual name = ... loss huber(1.0)`"
    return mistake("loss-without-residual", "only a `residual` has a `loss`", stop.span, "", fix)


def _after_the_file(stop: Stop) -> Diagnostic | None:
    """`data x[n] from "x.csv", y[n]`."""
    if stop.leading.type != "DATA" or _last_of(stop, "FROM", "NAME") != "FROM":
        return None
    if not stop.previous_is("STRING"):
        return None
    fix = "it is for all names of its line; write the others on a line of their own"
    return mistake("after-the-file", "nothing can follow the `from`", stop.span, "", fix)


def _more_than_finite(stop: Stop) -> Diagnostic | None:
    """`expect finite == 1`, `expect finite w`."""
    if stop.leading.type != "EXPECT" or not stop.previous_is("FINITE"):
        return None
    fix = "it says that the value and the gradient are finite at the start"
    message = "nothing can follow `expect finite`"
    return mistake("more-than-finite", message, stop.span, "", fix)


def _unknown_tolerance(stop: Stop) -> Diagnostic | None:
    """`expect w == 1 tol 1e-3`, `expect w == 1, 1e-3`."""
    if stop.leading.type != "EXPECT" or "WITHIN" not in stop.accepted:
        return None
    if stop.token.type not in ("NAME", "NUMBER", "COMMA"):
        return None
    fix = "a relative tolerance is written `within 1e-6`, behind the number expected"
    return unexpected_token(stop.token.type, stop.span, ("WITHIN",), fix)


def _percentage(stop: Stop) -> Diagnostic | None:
    """`expect w == 1 within 5%`."""
    if stop.leading.type != "EXPECT" or stop.token.type != "$END" or stop.previous is None:
        return None
    if stop.previous.text != "%" or not stop.written_before("within"):
        return None
    fix = "a tolerance is a part of the number expected: 1% is `within 0.01`"
    return mistake("percentage", "a tolerance is not written with `%`", stop.previous.span, "", fix)


# ── expressions ──────────────────────────────────────────────────────────────────────────────


def _doubled_operator(stop: Stop) -> Diagnostic | None:
    """`x ^^ 2`, `x <> y`, `x =< y`, `x === y`."""
    fixes = {"^^": "^", "<>": "!=", "=<": "<=", "=>": ">=", "===": "==", "***": "^"}
    for first, second in ((stop.previous, stop.token), (stop.token, stop.following)):
        if first is None or second is None or first.span.end != second.span.start:
            continue
        text = first.text + second.text
        if text in fixes:
            message, span = f"`{text}` is not an operator", first.span.to(second.span)
            return mistake("doubled-operator", message, span, "", f"write `{fixes[text]}`")
    return None


def _missing_else(stop: Stop) -> Diagnostic | None:
    """`z = a if c`."""
    if "ELSE" not in stop.accepted:
        return None
    condition = next(t for t in stop.tokens[stop.index - 1 :: -1] if t.type == "IF")
    message = "this `if` has no `else`"
    return mistake("missing-else", message, condition.span, "", "write `a if condition else b`")


def _array_in_expression(stop: Stop) -> Diagnostic | None:
    """`z = [1, 2] * x`."""
    if stop.token.type != "LSQB" or "NUMBER" not in stop.accepted:
        return None
    message = "an array in brackets can only be a default or a start value"
    fix = "give it a name: `data c[3] = [1, 2, 3]`"
    return mistake("array-literal", message, stop.span, "", fix)


def _misspelt_keyword(stop: Stop) -> Diagnostic | None:
    """`param w[d] intt 0`, `z = a if c esle b`."""
    if stop.token.type != "NAME" or stop.index == 0:
        return None
    close = get_close_matches(
        stop.token.text[:_LONGEST_WORD].lower(), sorted(stop.keywords), n=1, cutoff=0.65
    )
    if not close:
        return None
    help = f"did you mean `{close[0]}`?"
    return unexpected_token(stop.token.type, stop.span, stop.accepted, help)


def _missing_comma_or_operator(stop: Stop) -> Diagnostic | None:
    """`f(a b)`, `z = 2 x`, `dim n m`."""
    if not stop.previous_is(*_OPERAND_END) or stop.token.type not in ("NAME", "NUMBER", "LPAR"):
        return None
    words = [w for w, name in (("`,`", "COMMA"), ("an operator", "TIMES")) if name in stop.accepted]
    if not words:
        return None
    message = f"{' or '.join(words)} is missing before {quoted(stop.token.text)}"
    fix = "a product needs its sign: `a*b`" if "COMMA" not in stop.accepted else None
    return mistake("missing-comma-or-operator", message, stop.span, "", fix)


def _unfinished_line(stop: Stop) -> Diagnostic | None:
    """`z = a +`."""
    if stop.token.type != "$END" or stop.previous is None or stop.previous.type not in _OPERATORS:
        return None
    message = f"the line ends after `{stop.previous.text}`"
    fix = "to continue on the next line, put the expression in brackets"
    return mistake("continued-line", message, stop.previous.span, "", fix)


_SLIPS: tuple[Callable[[Stop], Diagnostic | None], ...] = (
    _keyword_as_name,
    _unknown_leading_word,
    _statement_as_in_other_languages,
    _doubled_operator,
    _wrong_definition_sign,
    _python_function,
    _missing_return,
    _wrong_range,
    _range_with_equals,
    _generator_with_more,
    _equals_as_comparison,
    _round_shape,
    _start_of_data,
    _param_order,
    _file_of_param,
    _after_the_file,
    _more_than_finite,
    _percentage,
    _loss_without_residual,
    _missing_equals,
    _misspelt_keyword,
    _unknown_tolerance,
    _missing_else,
    _array_in_expression,
    _missing_comma_or_operator,
    _unfinished_line,
)
