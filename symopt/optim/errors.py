"""The sentences an optimizer run may have to say to its caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from symopt.diagnostics import DataError, Diagnostic, Kind, NonFiniteError
from symopt.optim.problem import Needs, parameter_of

# What `minimize` takes beside the options, and others have among theirs.
_ARGUMENTS = ("max_iter", "max_time", "tol", "seed", "fixed", "callback", "scale")
CAPABILITIES = {
    Needs.VALUE: "the value",
    Needs.GRADIENT: "a gradient",
    Needs.HVP: "Hessian-vector products",
    Needs.HESSIAN: "a Hessian",
    Needs.RESIDUALS: "residuals and their Jacobian",
    Needs.GAUSS_NEWTON: "a Gauss-Newton matrix (residuals, or a marked model)",
    Needs.SPARSE: "sparse matrices",
    Needs.FISHER: "a Fisher matrix",
    Needs.COMPLEX_STEP: "complex arithmetic",
}


def _data(code: str, message: str, *notes: str, help: str | None = None) -> DataError:
    return DataError(Diagnostic(Kind.DATA, code, message, notes=notes, help=help))


def _nearest(word: str, known: Iterable[str]) -> str | None:
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else None


def unknown_method(name: str, names: Sequence[str], spellings: Sequence[str]) -> DataError:
    return _data(
        "unknown-method",
        f"there is no method `{name}`",
        f"the methods are {', '.join(names)}",
        help=_nearest(name.lower(), spellings),
    )


def unknown_option(method: str, found: str, valid: Sequence[str]) -> DataError:
    plain = found.replace("_", "").lower()
    argument = next((name for name in _ARGUMENTS if name.replace("_", "") == plain), None)
    beside = f"`{argument}` is given beside the options, not among them" if argument else None
    return _data(
        "unknown-option",
        f"the method {method} has no option `{found}`",
        f"its options are {', '.join(valid)}" if valid else "it has no options",
        help=beside or _nearest(found, valid),
    )


def bad_option(method: str, option: str, found: object, expected: str) -> DataError:
    return _data("bad-option", f"option `{option}` of {method} must be {expected}, not {found!r}")


def bad_setting(name: str, found: object, expected: str) -> DataError:
    return _data("bad-setting", f"`{name}` must be {expected}, not {found!r}")


def missing_capability(method: str, missing: Needs) -> DataError:
    wanted = " and ".join(text for flag, text in CAPABILITIES.items() if flag in missing)
    return _data(
        "missing-derivative",
        f"the method {method} needs {wanted}, which this problem does not provide",
        help="choose another method, or provide what is missing",
    )


def unsupported_bounds(method: str, names: Sequence[str]) -> DataError:
    return _data(
        "unsupported-bounds",
        f"the method {method} cannot keep to bounds, and {', '.join(names)} has some",
        help="choose a method that handles bounds; `methods()` lists them",
    )


def no_start(names: Sequence[str]) -> DataError:
    listed = f" for {', '.join(names)}" if names else ""
    return _data(
        "no-start",
        f"there is no start{listed}",
        help="write `init` where it is declared, or give `x0` (`--param` on the command line)",
    )


def wrong_length(name: str, found: int, expected: int) -> DataError:
    return _data("wrong-length", f"`{name}` has length {found}, expected {expected}")


def wrong_shape(name: str, found: Sequence[int], expected: Sequence[object]) -> DataError:
    wanted = f"({', '.join(str(size) for size in expected)}{',' * (len(expected) == 1)})"
    return _data("wrong-shape", f"`{name}` returned shape {tuple(found)}, expected {wanted}")


def no_number(name: str, found: object) -> DataError:
    return _data("no-number", f"`{name}` returned {found!r}, expected a number")


def not_a_problem(found: str, *, callable_: bool) -> DataError:
    return _data(
        "not-a-problem",
        f"a problem is a bound model or an objective, not a {found}",
        help="wrap the function: minimize(objective(fun, grad=...), x0=...)" if callable_ else None,
    )


def not_a_method(found: object) -> DataError:
    return _data(
        "not-a-method",
        f"a method is a name or an optimizer's settings, not {found!r}",
        help="`methods()` lists the names",
    )


def not_numbers(name: str, reason: str) -> DataError:
    return _data("not-numbers", f"`{name}` is not an array of numbers: {reason}")


def not_finite(name: str, entry: str, value: float) -> DataError:
    return _data("not-finite", f"`{name}` is {value} for {entry}")


def crossed_bounds(entry: int, lower: float, upper: float) -> DataError:
    return _data(
        "crossed-bounds", f"entry {entry} has the lower bound {lower} above the upper one {upper}"
    )


def unknown_parameter(found: str, names: Sequence[str]) -> DataError:
    owners = list(dict.fromkeys(parameter_of(name) for name in names))
    entries = [name for name in names if name.startswith(f"{parameter_of(found)}[")]
    listed = [*owners, *names] if not entries else [*owners, *entries]
    shown = ", ".join(owners[:20]) + (", …" if len(owners) > 20 else "")
    return _data(
        "unknown-parameter",
        f"cannot fix `{found}`: there is no such parameter",
        f"the parameters are {shown}",
        help=_nearest(found, listed),
    )


def unknown_scale(found: str, names: Sequence[str]) -> DataError:
    owners = list(dict.fromkeys(parameter_of(name) for name in names))
    return _data(
        "unknown-parameter",
        f"cannot scale `{found}`: there is no such parameter",
        f"the parameters are {', '.join(owners[:20])}",
        help=_nearest(found, owners),
    )


def entry_out_of_range(found: int, n: int) -> DataError:
    return _data("out-of-range", f"cannot fix entry {found}: the entries are 0 to {n - 1}")


def no_objective() -> DataError:
    return _data("no-objective", "an objective needs `fun` or `residuals`")


def two_objectives() -> DataError:
    return _data(
        "two-objectives",
        "an objective is `fun`, or the sum of squared `residuals`, not both",
        help="leave out `fun`: it is computed from the residuals, without a factor 1/2",
    )


def not_provided(name: str) -> DataError:
    return _data("missing-derivative", f"this objective was made without `{name}`")


def no_blocks() -> DataError:
    return _data(
        "no-blocks",
        "option `factor` of lm is 'schur', but no parameter can be eliminated in small blocks",
        "that takes an array, such as `point[p, 3]`, whose entries meet each other in no residual,"
        " except within one small part",
        help="leave `factor` out: lm then chooses by itself",
    )


def no_other_data() -> DataError:
    return _data(
        "no-other-data",
        "this problem cannot be had on other data, which `stream` and `validation` need",
        help="bind a model, or make the objective of functions that take data by name",
    )


def not_a_mapping(found: object) -> DataError:
    return _data(
        "not-a-mapping",
        f"data are given by a mapping or a data frame, found {type(found).__name__}",
        help="a stream is an iterable of mappings from data names to arrays, one a batch",
    )


def no_stream(found: str) -> DataError:
    return _data(
        "no-stream",
        f"a stream is an iterable of mappings from data names to arrays, not a {found}",
        help="for a single batch, bind the data instead",
    )


def empty_stream() -> DataError:
    return _data("empty-stream", "the stream has no data: it ended before the first batch")


def nonfinite_start(explanation: str | None) -> NonFiniteError:
    return NonFiniteError(
        Diagnostic(
            Kind.NONFINITE,
            "non-finite-start",
            "the objective or its gradient is not finite at the start",
            notes=(explanation,) if explanation else (),
            help="start where the objective is defined",
        )
    )
