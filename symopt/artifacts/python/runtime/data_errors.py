"""What is said about data and sizes that do not fit the declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symopt.artifacts.python.runtime.errors import Mistake, entry_text, nearest, shape_text
from symopt.artifacts.python.runtime.specification import Data, Dim, Param, Size, Specification


def missing_data(data: Data) -> Mistake:
    """Data without a default that was not given."""
    shape = f" with shape {shape_text(data.shape)}" if data.shape else ""
    return Mistake(
        f"no data given for `{data.name}`{shape}",
        data.place,
        "declared here",
        help=f"give it by name: bind({data.name}=...), or --data on the command line",
    )


def extra_data(name: str, loss: Specification) -> Mistake:
    """A name that the program has not."""
    dims, data = [dim.name for dim in loss.dims], [data.name for data in loss.data]
    known = f"its data: {', '.join(data) or 'none'}; its dims: {', '.join(dims) or 'none'}"
    message = f"`{name}` is not data or a dim of this program"
    return Mistake(message, help=nearest(name, [*data, *dims]) or known)


def not_numeric(data: Data, found: str, place: tuple[int, ...] = ()) -> Mistake:
    """Something that is no real number."""
    where = f" at {entry_text(data.name, place)}" if place else ""
    return Mistake(f"`{data.name}` must hold real numbers, found {found}{where}", data.place)


def beyond_single(data: Data, place: tuple[int, ...], found: float) -> Mistake:
    """A number that float32 does not have."""
    entry = entry_text(data.name, place)
    return Mistake(
        f"`{entry}` is {float(found):g}, beyond the numbers of float32",
        data.place,
        "declared here",
        help='the largest is 3.4e38: scale the data, or bind with dtype="float64"',
    )


def wrong_rank(data: Data, found: tuple[int, ...]) -> Mistake:
    """An array with another number of axes."""
    if data.shape:
        wanted = f"have shape {shape_text(data.shape)}"
        axes = "1 axis" if len(data.shape) == 1 else f"{len(data.shape)} axes"
        declared, fix = f"declared with {axes}", None
    else:
        wanted, declared = "be a number", "declared without axes"
        fix = f"declare it as an array, such as `data {data.name}[n]`, or give one of its entries"
    shape = f"shape {found}" if found else "a number"
    message = f"`{data.name}` must {wanted}, found {shape}"
    return Mistake(message, data.place, declared, help=fix)


def wrong_size(
    data: Data, axis: int, size: Size, expected: int, found: int, reasons: Iterable[str]
) -> Mistake:
    """An axis of another length than other data say, or the program."""
    wanted = f"{size.text} = {expected}" if size.dims else f"{expected}"
    message = f"axis {axis} of `{data.name}` must have size {wanted}, found {found}"
    return Mistake(message, data.place, f"shape {shape_text(data.shape)}", notes=tuple(reasons))


def size_unsolved(data: Data, axis: int, size: Size, found: int, unknown: Sequence[str]) -> Mistake:
    """An axis whose size gives no value to a dim, or leaves it open which."""
    shape = f"shape {shape_text(data.shape)}"
    if len(unknown) == 1:
        (only,) = unknown
        message = f"axis {axis} of `{data.name}` has size {found}, but no {only} makes {size.text}"
        return Mistake(f"{message} that", data.place, shape)
    names, first = " and ".join(unknown), unknown[0]
    axis_text = f"axis {axis} of `{data.name}` has size {size.text} = {found}"
    return Mistake(
        f"{names} cannot be told apart: {axis_text}",
        data.place,
        shape,
        help=f"give one of them by name: bind(..., {first}=...) or --dim {first}=...",
    )


def dim_unknown(dim: Dim) -> Mistake:
    """A size that nothing tells."""
    name = dim.name
    return Mistake(
        f"the size of dim `{name}` is not known: no data that was given has it",
        dim.place,
        help=f"give it: bind(..., {name}=3), --dim {name}=3, or `dim {name} = 3`",
    )


def negative_size(dim: Dim, value: int) -> Mistake:
    """A size below 0."""
    return Mistake(f"dim `{dim.name}` cannot be negative, found {value}", dim.place)


def compiled_size(dim: Dim, value: int, loss: Specification) -> Mistake:
    """Another value for a size that is compiled in."""
    return Mistake(
        f"dim `{dim.name}` is compiled in as {dim.compiled}, found {value}",
        dim.place,
        help=f"compile again: `symopt compile {loss.program} --dim {dim.name}={value}`, "
        f"or without --dim {dim.name} for all sizes",
    )


def missing_entries(data: Data, what: str, place: tuple[int, ...], count: int) -> Mistake:
    """Entries that are nan or masked: the first, and how many there are."""
    more = f", and {count - 1} more" if count > 1 else ""
    message = f"{entry_text(data.name, place)} is {what}{more}"
    return Mistake(message, data.place, help="drop or fill the missing entries before fitting")


def not_integers(data: Data, below: Size, place: tuple[int, ...], value: float) -> Mistake:
    """An index that is no whole number."""
    return Mistake(
        f"`{data.name}` holds indices, which are whole numbers, "
        f"but {entry_text(data.name, place)} is {value!r}",
        data.place,
        f"declared `in {below.text}`",
    )


def index_beyond(
    data: Data,
    below: Size,
    place: tuple[int, ...],
    value: int,
    size: int,
    ends: tuple[int, int],
) -> Mistake:
    """An index that its axis has not; `ends` are the least and the greatest entry there is."""
    least, greatest = ends
    allowed = f"0 to {size - 1}" if size > 0 else "none"
    fix = None
    if least >= 1 and greatest == size:
        fix = "indices count from 0: subtract 1 from all of them"
    elif least >= 0 and size <= greatest < 2 * size + 10:
        fix = f"the greatest entry is {greatest}: {below.text} would have to be {greatest + 1}"
    return Mistake(
        f"{entry_text(data.name, place)} is {value}, but `{data.name}` indexes "
        f"{below.text} = {size} ({allowed})",
        data.place,
        f"declared `in {below.text}`",
        help=fix,
    )


def nothing_below(param: Param) -> Mistake:
    """A matrix of one row has nothing below its diagonal."""
    return Mistake(
        f"`{param.name}` is strict lower, but of 1 x 1 matrices: it has no unknowns",
        param.place,
        f"{param.shape[-1].text} is 1",
        help="leave it out for data of one column",
    )
