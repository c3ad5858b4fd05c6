"""Files of data to the arrays that a program's data names are bound to.

What is given are `--data` options or what the program itself says (see `data_files`). An option is
`FILE`, whose columns go to the data of the same name, or `NAME=FILE`, `NAME=FILE:COLUMN,...` or
`NAME=NUMBER`, which serve one name and win over the first form. Left without any, a single
two-dimensional data name takes all numeric columns of the files without a name that carry no other
data name, in file order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import DataError, Diagnostic, Kind, Report
from symopt.tables import Column, Table, data_error, read_table

Array = NDArray[Any]


class Declaration(Protocol):
    """What is asked of a data declaration of a model."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Sequence[object]: ...
    @property
    def default(self) -> object | None: ...
    @property
    def file(self) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Number:
    """`NAME=NUMBER`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class File:
    """`[NAME=]FILE[:COLUMN,...]`."""

    name: str | None
    path: str
    columns: tuple[str, ...]


def gather_data(
    declarations: Mapping[str, Declaration], options: Sequence[str], *, complete: bool = True
) -> dict[str, Array]:
    """The arrays for the data names that the options serve; all mistakes are reported at once.

    Unless it is to be `complete`, data that nothing serves is no mistake; nor is it for data with a
    file of its own.
    """
    gathering = Gathering(declarations, tuple(declarations), as_option)
    for option in options:
        gathering.attempt(option)
    own = [name for name, declaration in declarations.items() if declaration.file is None]
    return gathering.finish(own if complete else ())


def as_option(name: str, path: str, columns: str) -> str:
    """How the command line is told which columns of a file a name has."""
    return f"--data {name}={path}:{columns}"


def parse_option(text: str) -> Number | File:
    """One `--data` value, taken apart."""
    name, equals, rest = text.partition("=")
    if not equals or not name.isidentifier():
        return parse_file(None, text)
    try:
        return Number(name, float(rest))
    except ValueError:
        return parse_file(name, rest)


def parse_file(name: str | None, text: str, folder: str = "") -> File:
    """`FILE` or `FILE:COLUMN,...`; a path that is not absolute is one in the folder."""
    path, colon, columns = text.rpartition(":")
    if not colon or Path(folder, text).exists():
        return File(name, os.path.join(folder, text), ())
    chosen = tuple(column.strip() for column in columns.split(","))
    return File(name, os.path.join(folder, path), chosen)


@dataclass(slots=True)
class Gathering:
    """The arrays found so far for the names `wanted`, and the files for no single name.

    `written` is how to say that a name has some columns of a file: in a hint, by what was used.
    """

    declarations: Mapping[str, Declaration]
    wanted: Sequence[str]
    written: Callable[[str, str, str], str]
    report: Report = field(default_factory=Report)
    found: dict[str, Array] = field(default_factory=dict)
    used: dict[str, bool] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    broken: bool = False
    read: dict[str, Table] = field(default_factory=dict)

    def finish(self, needed: Sequence[str]) -> dict[str, Array]:
        """What was found, with the files for no single name shared out; or all mistakes.

        That data is not given is one, if it is needed and has no default.
        """
        self.match_columns()
        self.match_matrix()
        self.report_missing(needed)
        self.report.stop_if_errors()
        return self.found

    def table(self, path: str) -> Table:
        """A file, read once however many names it serves."""
        if path not in self.read:
            self.read[path] = read_table(path)
        return self.read[path]

    def attempt(self, option: str | File) -> None:
        """Take in one option; a mistake is recorded and the others go on."""
        try:
            self.add(parse_option(option) if isinstance(option, str) else option)
        except DataError as error:
            self.broken = True
            for diagnostic in error.diagnostics:
                self.report.add(diagnostic)

    def add(self, option: Number | File) -> None:
        if option.name is not None:
            self.check_name(option.name)
        match option:
            case Number(name, value):
                self.found[name] = np.asarray(value)
            case File(None, path, columns):
                if columns:
                    raise data_error(
                        "columns-without-name",
                        f"the columns {', '.join(columns)} of '{path}' are for no name",
                        help=f"write {self.written('NAME', path, ','.join(columns))}",
                    )
                self.tables = (*self.tables, self.table(path))
                self.used[path] = False
            case File(str(name), path, columns):
                declaration = self.declarations[name]
                chosen = self.select(name, self.table(path), columns)
                self.found[name] = self.shape(declaration, chosen)

    def check_name(self, name: str) -> None:
        if name not in self.declarations:
            raise data_error(
                "unknown-data",
                f"the program has no data `{name}`",
                help=_suggest(name, self.declarations)
                or f"its data: {', '.join(self.declarations) or 'none'}",
            )
        if name in self.found:
            raise data_error("data-given-twice", f"data `{name}` is given twice")

    def select(self, name: str, table: Table, wanted: Sequence[str]) -> tuple[Column, ...]:
        """The columns of a file that `NAME=FILE` or `NAME=FILE:COLUMN,...` stands for."""
        if wanted:
            return tuple(_column(table, column) for column in wanted)
        same = table.find(name) or table.find("")
        if same is not None:
            return (same,)
        rank = len(self.declarations[name].shape)
        if rank == 2:
            return self.free_columns(name, table)
        if len(table.columns) == 1:
            return table.columns
        raise data_error(
            "no-such-column",
            f"'{table.name}' has no column `{name}`; its columns: {_names(table.columns)}",
            help=f"say which one: {self.written(name, table.name, 'COLUMN')}",
        )

    def free_columns(self, name: str, table: Table) -> tuple[Column, ...]:
        """The numeric columns that carry no other data name: those of a matrix `name`."""
        others = self.declarations.keys() - {name}
        return tuple(c for c in table.columns if c.numeric and c.name not in others)

    def shape(self, declaration: Declaration, columns: Sequence[Column]) -> Array:
        """The columns as an array of the declared rank, as far as they can be."""
        for column in columns:
            if column.fault is not None:
                raise DataError(column.fault)
        rank = len(declaration.shape)
        if len(columns) == 1:
            array = columns[0].values
            if rank == 2 and array.ndim == 1:
                array = array[:, np.newaxis]
        else:
            array = self.stack(declaration.name, columns)
        if rank == 0 and array.size == 1:
            array = array.reshape(())
        return np.ascontiguousarray(array) if array.ndim else array

    def stack(self, name: str, columns: Sequence[Column]) -> Array:
        shapes = {column.values.shape for column in columns}
        if len(shapes) == 1 and columns[0].values.ndim == 1:
            return np.stack([column.values for column in columns], axis=1)
        sizes = ", ".join(f"{column.name} {column.values.shape}" for column in columns[:8])
        raise data_error(
            "ragged-matrix",
            f"the columns for `{name}` do not have one length: {sizes}",
            help=f"say which columns it has: {self.written(name, 'FILE', 'COLUMN,...')}",
        )

    def match_columns(self) -> None:
        """Data takes the arrays of its own name from the files without a name."""
        for name in self.wanted:
            if name in self.found:
                continue
            declaration = self.declarations[name]
            sources = [(t, c) for t in self.tables if (c := t.find(name)) is not None]
            # A column is no matrix: that is gathered from several, see `match_matrix`.
            if len(declaration.shape) == 2:
                sources = [(t, c) for t, c in sources if c.values.ndim == 2]
            if len(sources) > 1:
                places = " and ".join(f"'{table.name}'" for table, _ in sources)
                self.refuse("ambiguous-data", f"data `{name}` is in {places}")
            elif sources:
                table, column = sources[0]
                self.used[table.name] = True
                self.take(declaration, (column,))

    def match_matrix(self) -> None:
        """A single matrix without data of its own takes the numeric columns left over.

        Among several, that is the one without a file of its own.
        """
        names = [name for name in self.missing() if len(self.declarations[name].shape) == 2]
        names = [n for n in names if self.declarations[n].file is None] or names
        if not self.tables or not names:
            return
        if len(names) > 1:
            self.refuse(
                "ambiguous-matrix",
                f"which columns go to which of {', '.join(names)} is not clear",
                help=f"say so: {self.written(names[0], self.tables[0].name, 'COLUMN,...')}",
            )
            return
        columns: tuple[Column, ...] = ()
        for table in self.tables:
            free = self.free_columns(names[0], table)
            if free:
                self.used[table.name] = True
            columns += free
        if columns:
            self.take(self.declarations[names[0]], columns)

    def take(self, declaration: Declaration, columns: Sequence[Column]) -> None:
        try:
            self.found[declaration.name] = self.shape(declaration, columns)
        except DataError as error:
            # Bound to nothing, so that it is not reported missing as well.
            self.found[declaration.name] = np.empty(0)
            for diagnostic in error.diagnostics:
                self.report.add(diagnostic)

    def missing(self) -> list[str]:
        return [
            name
            for name in self.wanted
            if name not in self.found and self.declarations[name].default is None
        ]

    def report_missing(self, needed: Sequence[str]) -> None:
        """Data that is needed and that nothing provides, and files that provide nothing."""
        if self.broken or self.report.errors:
            return  # What a refused option would have given is not known.
        columns = [column for table in self.tables for column in table.columns if column.name]
        for name in self.missing():
            if name in needed:
                self.report.add(self.not_given(name, columns))
        for path, used in self.used.items():
            if not used and not self.report.errors:
                self.refuse(
                    "unused-data",
                    f"nothing in '{path}' has the name of data of the program",
                    help=f"its data: {', '.join(self.declarations) or 'none'}",
                )

    def not_given(self, name: str, columns: Sequence[Column]) -> Diagnostic:
        """Data that nothing provides; with the column that was perhaps meant."""
        message = f"data `{name}` is not given"
        if not columns:
            help = f"for example --data {name}=FILE, or --data FILE with a column `{name}`"
            return Diagnostic(Kind.DATA, "missing-data", message, help=help)
        close = get_close_matches(name, [column.name for column in columns], n=1)
        meant = f"did you mean `{close[0]}`?" if close else "for example"
        chosen = close[0] if close else columns[0].name
        owner = next(table.name for table in self.tables if table.find(chosen))
        return Diagnostic(
            Kind.DATA,
            "missing-data",
            f"{message}; columns available: {_names(columns)}",
            help=f"{meant} {self.written(name, owner, chosen)}",
        )

    def refuse(self, code: str, message: str, help: str | None = None) -> None:
        self.report.add(Diagnostic(Kind.DATA, code, message, help=help))


def _column(table: Table, name: str) -> Column:
    column = table.find(name)
    if column is not None:
        return column
    names = [column.name for column in table.columns]
    raise data_error(
        "no-such-column",
        f"'{table.name}' has no column `{name}`; its columns: {_names(table.columns)}",
        help=_suggest(name, names),
    )


def _names(columns: Sequence[Column], most: int = 12) -> str:
    shown = ", ".join(column.name for column in columns[:most])
    return f"{shown}, ... ({len(columns)} in all)" if len(columns) > most else shown


def _suggest(name: str, names: Iterable[str]) -> str | None:
    close = get_close_matches(name, list(names), n=1)
    return f"did you mean `{close[0]}`?" if close else None
