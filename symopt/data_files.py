"""The data of a program that lies with it: in files that it names, or in one beside it.

`data x[n], y[n] from "points.csv"` means what `--data points.csv` does, for these names alone, and
`data X[n, d] from "iris.csv:a,b"` what `--data X=iris.csv:a,b` does. Paths are looked up beside the
program; for one without a file, in the current directory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symopt.diagnostics import DataError, Diagnostic, Label, Report
from symopt.gathering import File, Gathering, parse_file
from symopt.source import Source
from symopt.syntax.tree import DataFile
from symopt.tables import SUFFIXES, Table, data_error

if TYPE_CHECKING:
    from symopt.typed.program import Data

Arrays = dict[str, Any]


def read_named(data: Mapping[str, Data], given: Iterable[str] = ()) -> Arrays:
    """The arrays of all data that names its file and is not given; or every mistake in that."""
    report, found, given = Report(), {}, frozenset(given)
    tables: dict[str, Table] = {}  # each file is read once
    for file, names in _lines(data):
        if given.issuperset(names):
            continue
        try:
            found |= _read_line(data, file, names, given, tables)
        except DataError as error:
            for diagnostic in error.diagnostics:
                report.add(_placed(diagnostic, file))
    report.stop_if_errors()
    return found


def read_all(data: Mapping[str, Data], source: Source, given: Mapping[str, Any]) -> Arrays:
    """What is given, and for the rest the files that the program names, then the one beside it."""
    found = {**read_named(data, given), **given}
    rest = [name for name in data if name not in found]
    beside = file_beside(source)
    if beside is None or all(data[name].default is not None for name in rest):
        return found
    gathering = Gathering(data, rest, _as_written)
    gathering.attempt(File(None, beside, ()))
    return gathering.finish(()) | found


def file_beside(source: Source) -> str | None:
    """The data file that has the name of the program, if there is one."""
    places = (name for name in places_beside(source) if os.path.isfile(name))
    return next((name for name in places if not is_manifest(name)), None)


def is_manifest(path: str | os.PathLike[str]) -> bool:
    """Whether a file is the description that `symopt compile` writes of what it has compiled."""
    if os.path.splitext(path)[1] != ".json":
        return False
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"format", "sha256", "functions"} <= content.keys()


def places_beside(source: Source) -> tuple[str, ...]:
    """Where the data of a program is looked for, in this order."""
    if source.path is None:
        return ()
    stem = os.path.splitext(source.path)[0]
    return tuple(stem + suffix for suffix in SUFFIXES)


def without_data(data: Mapping[str, Data], found: Iterable[str]) -> list[str]:
    """The names that need data and are not among those found."""
    known = frozenset(found)
    return [name for name, one in data.items() if one.default is None and name not in known]


def explain_missing(source: Source, names: Sequence[str]) -> tuple[str, str]:
    """That there is no data for some names, and where to put it."""
    message = f"there is no data for {', '.join(f'`{name}`' for name in names)}"
    named = f'name its file, as in `data {names[0]}[n] from "points.csv"`'
    places = places_beside(source)
    if not places:
        return message, named
    folder = os.path.dirname(source.name)
    first, *others = (os.path.basename(place) for place in places)
    shown = f"{os.path.join(folder, first)} (or {', '.join(others)})"
    return message, f"put it into {shown}, where it is looked for; or {named}"


def _lines(data: Mapping[str, Data]) -> list[tuple[DataFile, tuple[str, ...]]]:
    """Each line of data with a file, and its names in their order."""
    lines: dict[int, tuple[DataFile, tuple[str, ...]]] = {}
    for name, one in data.items():
        if one.file is not None:
            _, names = lines.get(one.file.span.start, (one.file, ()))
            lines[one.file.span.start] = one.file, (*names, name)
    return list(lines.values())


def _read_line(
    data: Mapping[str, Data],
    file: DataFile,
    names: tuple[str, ...],
    given: frozenset[str],
    tables: dict[str, Table],
) -> Arrays:
    """The arrays of one line's names that are not given."""
    folder = os.path.dirname(file.span.source.path or "")
    whole = parse_file(None, file.text, folder)
    _check_there(whole.path, file)
    wanted = [name for name in names if name not in given]
    gathering = Gathering(data, wanted, _as_written, read=tables)
    if whole.columns and len(names) not in (1, len(whole.columns)):
        raise data_error(
            "columns-without-name",
            f"{len(whole.columns)} columns are not one for each of {', '.join(names)}",
            help="name as many columns as names, or give each name a line of its own",
        )
    if len(names) == 1:
        gathering.attempt(replace(whole, name=names[0]))
    elif whole.columns:
        for name, column in zip(names, whole.columns, strict=True):
            if name in wanted:
                gathering.attempt(File(name, whole.path, (column,)))
    else:
        gathering.attempt(whole)
    return gathering.finish(wanted)


def _check_there(path: str, file: DataFile) -> None:
    """Refuses a file that does not exist, with what was perhaps meant."""
    if os.path.exists(path):
        return
    folder = Path(path).parent
    others = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    known = [name for name in others if Path(name).suffix.lower() in SUFFIXES]
    near = get_close_matches(Path(path).name, known, n=1)
    fix = "a path is looked up beside the program"
    if file.span.source.path is None:
        fix = "the path of a program without a file is looked up in the current directory"
    if near:
        fix = f"did you mean `{os.path.join(os.path.dirname(file.text), near[0])}`?"
    source = file.span.source
    beside = os.path.dirname(source.name) if source.path is not None else ""
    name = os.path.normpath(os.path.join(beside, parse_file(None, file.text).path))
    raise data_error("missing-file", f"there is no file `{name}`", help=fix)


def _placed(diagnostic: Diagnostic, file: DataFile) -> Diagnostic:
    """The diagnostic with the place in the program that names the file."""
    here = Label(file.span, "read here")
    return replace(diagnostic, labels=(*diagnostic.labels, here))


def _as_written(name: str, path: str, columns: str) -> str:
    """How a program is told which columns of a file a name has."""
    return f'`data {name}[...] from "{os.path.basename(path)}:{columns}"`'
