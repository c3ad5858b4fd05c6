"""Data files: CSV, TSV, NPY, NPZ, JSON and Parquet to named arrays, every fault with its place."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import DataError, Diagnostic, Kind, Label
from symopt.source import Source, Span

Array = NDArray[Any]

_MISSING = frozenset({"", "na", "n/a", "null", "none", "."})


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A named array of a file. With a `fault` it must not be used; unused, the fault is harmless.

    `numeric` is false when no cell at all is a number: a column of labels. `name` is empty for
    the only array of a file that gives it no name.
    """

    name: str
    values: Array
    fault: Diagnostic | None = None
    numeric: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What one file holds, in file order."""

    name: str
    columns: tuple[Column, ...]

    def find(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def read_table(path: str) -> Table:
    """The named arrays of a data file; its suffix says the format."""
    reader = _READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise data_error(
            "unknown-format",
            f"cannot tell the format of '{path}' by its suffix",
            help=f"known suffixes are {' '.join(_READERS)}",
        )
    try:
        return Table(path, reader(path))
    except OSError as error:
        reason = error.strerror or str(error)
        raise data_error("unreadable-file", f"cannot read '{path}': {reason}") from None


def data_error(code: str, message: str, *labels: Label, help: str | None = None) -> DataError:
    """The exception for one mistake in data."""
    return DataError(Diagnostic(Kind.DATA, code, message, labels, help=help))


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def _read_csv(path: str) -> tuple[Column, ...]:
    return _read_delimited(path, ",")


def _read_tsv(path: str) -> tuple[Column, ...]:
    return _read_delimited(path, "\t")


def _read_delimited(path: str, delimiter: str) -> tuple[Column, ...]:
    head = _read_head(path, delimiter)
    try:
        values = np.loadtxt(
            path,
            delimiter=delimiter,
            skiprows=head.lines,
            ndmin=2,
            dtype=np.float64,
            encoding="utf-8-sig",
        )
    except ValueError:
        # Something is not a plain number: read again, slowly, to use what can be used and to say
        # where the rest is wrong.
        return _read_cells(path, delimiter, head)
    if values.shape[1] != len(head.names):
        return _read_cells(path, delimiter, head)
    return tuple(Column(name, values[:, j]) for j, name in enumerate(head.names))


@dataclass(frozen=True, slots=True)
class _Head:
    """The column names, and how many lines come before the first row of data."""

    names: tuple[str, ...]
    lines: int


def _read_head(path: str, delimiter: str) -> _Head:
    """The header; a file that starts with a row of numbers names its columns 0, 1, 2, ..."""
    header: list[str] | None = None
    lines = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(file, 1):
                if _is_ignored(line):
                    continue
                cells = _split(line, delimiter)
                if header is not None:
                    _check_header(path, header, lines)
                    return _Head(tuple(header), lines)
                if all(_is_number(cell) for cell in cells):
                    return _Head(tuple(str(j) for j in range(len(cells))), number - 1)
                header, lines = cells, number
    except UnicodeDecodeError as error:
        raise _not_text(path, error) from None
    except csv.Error as error:
        raise data_error("not-a-table", f"'{path}' is not a table: {error}") from None
    if header is None:
        raise data_error("empty-file", f"'{path}' is empty: it holds no data")
    raise data_error("no-rows", f"'{path}' has a header but no rows of data")


def _check_header(path: str, header: Sequence[str], line: int) -> None:
    for j, name in enumerate(header):
        if not name:
            message = f"'{path}', line {line}: column {j + 1} has no name"
            raise data_error("blank-header", message, help="give every column a name")
        if name in header[:j]:
            raise data_error(
                "duplicate-header",
                f"'{path}', line {line}: two columns are named `{name}`, "
                f"numbers {header.index(name) + 1} and {j + 1}",
                help="give every column a name of its own",
            )


def _read_cells(path: str, delimiter: str, head: _Head) -> tuple[Column, ...]:
    """The columns of a file with cells that are not plain numbers."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(path, error) from None
    source = Source(path, text)
    lines, numbers = _significant_lines(text, head.lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    rows: list[list[str]] = []
    places: list[int] = []
    seen = 0
    try:
        for row in reader:
            place, seen = numbers[seen], reader.line_num
            if len(row) != len(head.names):
                raise _ragged(source, place, len(row), len(head.names))
            rows.append(row)
            places.append(place)
    except csv.Error as error:
        place = numbers[min(seen, len(numbers) - 1)]
        label = Label(_line_span(source, place))
        raise data_error("not-a-table", f"not a table: {error}", label) from None
    cells = zip(*rows, strict=True)
    return tuple(
        _read_column(source, delimiter, places, j, name, column)
        for j, (name, column) in enumerate(zip(head.names, cells, strict=True))
    )


def _significant_lines(text: str, skip: int) -> tuple[list[str], list[int]]:
    """The lines after the header that are neither blank nor comments, and their numbers."""
    kept = [
        (line, number)
        for number, line in enumerate(text.split("\n"), 1)
        if number > skip and not _is_ignored(line)
    ]
    return [line for line, _ in kept], [number for _, number in kept]


def _read_column(
    source: Source,
    delimiter: str,
    places: Sequence[int],
    position: int,
    name: str,
    cells: Sequence[str],
) -> Column:
    try:
        return Column(name, np.array(cells, dtype=np.str_).astype(np.float64))
    except ValueError:
        pass
    values = np.full(len(cells), np.nan)
    first_bad: int | None = None
    for row, cell in enumerate(cells):
        if _is_number(cell):
            values[row] = float(cell)
        elif first_bad is None:
            first_bad = row
    assert first_bad is not None, "a cell that NumPy refuses is no number here either"
    cell = cells[first_bad].strip()
    found = "has no value" if cell.lower() in _MISSING else f"'{_shorten(cell)}' is not a number"
    fault = Diagnostic(
        Kind.DATA,
        "non-numeric-cell",
        f"column `{name}`, row {first_bad + 1}: {found}",
        (Label(_cell_span(source, places[first_bad], position, delimiter), "expected a number"),),
    )
    return Column(name, values, fault, numeric=bool(np.isfinite(values).any()))


def _ragged(source: Source, place: int, found: int, expected: int) -> DataError:
    cells = "1 cell" if found == 1 else f"{found} cells"
    return data_error(
        "ragged-row",
        f"this row has {cells}, the first one has {expected}",
        Label(_line_span(source, place)),
    )


def _not_text(path: str, error: UnicodeDecodeError) -> DataError:
    return data_error(
        "not-text",
        f"'{path}' is not UTF-8 text: byte 0x{error.object[error.start]:02x}",
        help="save it as UTF-8, or as .npy or .npz if it is binary",
    )


def _is_ignored(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _split(line: str, delimiter: str) -> list[str]:
    rows = list(csv.reader([line.rstrip("\r\n")], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip() for cell in rows[0]]


def _shorten(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _line_span(source: Source, line: int) -> Span:
    """The place of a 1-based line, found without the index of all lines that a source can make."""
    start = 0
    for _ in range(line - 1):
        start = source.text.index("\n", start) + 1
    end = source.text.find("\n", start)
    return Span(source, start, len(source.text) if end < 0 else end)


def _cell_span(source: Source, line: int, position: int, delimiter: str) -> Span:
    """The place of one cell of a line; a delimiter between quotes does not count."""
    whole = _line_span(source, line)
    edges = [-1]
    quoted = False
    for j, character in enumerate(whole.text):
        quoted ^= character == '"'
        if character == delimiter and not quoted:
            edges.append(j)
    edges.append(len(whole.text))
    if position >= len(edges) - 1:  # a row of several lines
        return whole
    return Span(source, whole.start + edges[position] + 1, whole.start + edges[position + 1])


# ── binary files and JSON ────────────────────────────────────────────────────────────────────


def _read_numpy(path: str) -> tuple[Column, ...]:
    """An archive's arrays by name, a structured array's fields, or one nameless array."""
    with open(path, "rb") as file:
        if not file.read(1):
            raise data_error("empty-file", f"'{path}' is empty: it holds no data")
        file.seek(0)
        try:
            named = _load_arrays(file)
        except (ValueError, EOFError, BadZipFile) as error:
            raise _unreadable_arrays(path, error) from None
    return tuple(_named_array(path, name, values) for name, values in named.items())


def _load_arrays(file: IO[bytes]) -> dict[str, Array]:
    content = np.load(file, allow_pickle=False)
    if isinstance(content, np.lib.npyio.NpzFile):
        return {name: content[name] for name in content.files}
    return {name: content[name] for name in content.dtype.names or ()} or {"": content}


def _unreadable_arrays(path: str, error: Exception) -> DataError:
    return data_error("unreadable-file", f"'{path}' holds no NumPy arrays of numbers: {error}")


def _read_json(path: str) -> tuple[Column, ...]:
    """An object of arrays, a list of objects (one a row), or one nameless array."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(path, error) from None
    if not text.strip():
        raise data_error("empty-file", f"'{path}' is empty: it holds no data")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        label = Label(Span(Source(path, text), error.pos, error.pos + 1))
        raise data_error("not-json", f"not JSON: {error.msg}", label) from None
    except RecursionError:
        raise data_error("not-json", f"'{path}' is nested too deeply") from None
    if isinstance(content, dict):
        named = content
    elif isinstance(content, list) and content and all(isinstance(r, dict) for r in content):
        named = {key: [record.get(key) for record in content] for key in content[0]}
    else:
        named = {"": content}
    return tuple(_json_array(path, name, value) for name, value in named.items())


def _json_array(path: str, name: str, value: Any) -> Column:
    try:
        return _named_array(path, name, np.asarray(value))
    except ValueError:
        message = f"'{path}': `{name}` is ragged, its rows differ in length"
        return Column(name, np.empty(0), Diagnostic(Kind.DATA, "ragged-row", message), False)


def _read_parquet(path: str) -> tuple[Column, ...]:
    """The columns of a table; entries that are missing are nan."""
    try:
        # An extra: it is not there where types are checked.
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise data_error(
            "missing-package",
            f"'{path}' is a Parquet file, and pyarrow, which reads these, is not installed",
            help="pip install 'symopt[parquet]', or save the data as CSV or NPZ",
        ) from None
    try:
        with open(path, "rb") as file:
            table = parquet.read_table(file)
    except pyarrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise data_error("unreadable-file", f"'{path}' holds no Parquet table: {reason}") from None
    columns = ((name, table.column(name)) for name in dict.fromkeys(table.column_names))
    return tuple(_named_array(path, name, column.to_numpy()) for name, column in columns)


def _named_array(path: str, name: str, values: Array) -> Column:
    if values.dtype.kind in "biuf":
        return Column(name, values)
    where = f"'{path}': `{name}`" if name else f"'{path}'"
    message = f"{where} holds {_kind_words(values)}, not real numbers"
    return Column(name, values, Diagnostic(Kind.DATA, "non-numeric-cell", message), numeric=False)


def _kind_words(values: Array) -> str:
    match values.dtype.kind:
        case "c":
            return "complex numbers"
        case "U" | "S":
            return "text"
        case "M" | "m":
            return "dates or times"
        case _:
            return f"entries of type {values.dtype}"


_READERS = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".npy": _read_numpy,
    ".npz": _read_numpy,
    ".json": _read_json,
    ".parquet": _read_parquet,
}

SUFFIXES = tuple(_READERS)
