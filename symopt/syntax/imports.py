"""The files that a program imports, directly or through others: each is read once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from symopt.diagnostics import Diagnostic, SymoptError
from symopt.source import Source
from symopt.syntax import import_errors, tree
from symopt.syntax.parser import parse_what_can_be, read_source


@dataclass(frozen=True, slots=True)
class Import:
    """One `import` of the main file, and the files it is the first to bring in, in order of need.

    A file comes after those that it imports.
    """

    statement: tree.Import
    files: tuple[tree.File, ...]


def read_imports(file: tree.File) -> tuple[tuple[Import, ...], tuple[Diagnostic, ...]]:
    """All that a file imports, and what is wrong with it."""
    reader = _Reader()
    if file.source.path is not None:
        reader.stack.append((os.path.realpath(file.source.path), None))
    found = tuple(
        Import(statement, tuple(reader.files_of(statement, file.source)))
        for statement in _imports(file)
    )
    return found, tuple(reader.mistakes)


def _imports(file: tree.File) -> tuple[tree.Import, ...]:
    return tuple(s for s in file.statements if isinstance(s, tree.Import))


@dataclass(slots=True)
class _Reader:
    """What was read so far; `stack` has the files being read, each with its import."""

    read: set[str] = field(default_factory=set)
    stack: list[tuple[str, tree.Import | None]] = field(default_factory=list)
    mistakes: list[Diagnostic] = field(default_factory=list)

    def files_of(self, statement: tree.Import, importer: Source) -> Iterator[tree.File]:
        """The file that is imported, after those that it imports itself; none read before."""
        folder = os.path.dirname(importer.path) if importer.path is not None else ""
        path = os.path.join(folder, statement.path)
        beside = os.path.dirname(importer.name) if importer.path is not None else ""
        name = os.path.normpath(os.path.join(beside, statement.path))
        real = os.path.realpath(path)
        open_files = [file for file, _ in self.stack]
        if real in open_files:
            between = [s for _, s in self.stack[open_files.index(real) + 1 :] if s is not None]
            self.mistakes.append(import_errors.import_cycle(statement, name, between))
            return
        if real in self.read:
            return
        self.read.add(real)
        file = self.parsed(statement, path, name)
        if file is None:
            return
        self.stack.append((real, statement))
        for inner in _imports(file):
            yield from self.files_of(inner, file.source)
        self.stack.pop()
        yield file

    def parsed(self, statement: tree.Import, path: str, name: str) -> tree.File | None:
        try:
            file, mistakes = parse_what_can_be(read_source(path, name))
        except SymoptError as error:
            self.mistakes.extend(error.diagnostics)
            return None
        except FileNotFoundError:
            folder = os.path.dirname(path) or "."
            self.mistakes.append(import_errors.missing_file(statement, name, _beside(folder)))
            return None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self.mistakes.append(import_errors.unreadable_file(statement, name, reason))
            return None
        self.mistakes.extend(mistakes)
        return file


def _beside(folder: str) -> list[str]:
    """The programs in a folder, as far as it can be looked into."""
    try:
        return [name for name in os.listdir(folder) if name.endswith(".sym")]
    except OSError:
        return []
