"""What `import` brings in: the functions of another file, and nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.diagnostics import Diagnostic
from symopt.source import Source, Span
from symopt.syntax import tree
from symopt.syntax.imports import Import, read_imports
from symopt.typed import function_errors
from symopt.typed.function_check import define_function
from symopt.typed.walk import names

if TYPE_CHECKING:
    from symopt.typed.checker import Unit


@dataclass(frozen=True, slots=True)
class Imports:
    """All files that a program imports, by its statements, and what is wrong with them."""

    found: tuple[Import, ...]
    mistakes: tuple[Diagnostic, ...]

    @staticmethod
    def of(file: tree.File) -> Imports:
        return Imports(*read_imports(file))

    @property
    def files(self) -> tuple[tree.File, ...]:
        return tuple(file for one in self.found for file in one.files)

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(file.source for file in self.files)

    @property
    def functions(self) -> tuple[tree.FunctionDefinition, ...]:
        return tuple(function for file in self.files for function in _functions(file))

    def declared(self) -> dict[str, dict[str, Span]]:
        """The names that each file declares besides functions, which are not brought in."""
        return {file.source.name: dict(_declared(file)) for file in self.files}

    def bring_in(self, unit: Unit, statement: tree.Import) -> None:
        """Define the functions of the files that a statement is the first to bring in."""
        files = next(one.files for one in self.found if one.statement is statement)
        for file in files:
            for function in _functions(file):
                first = unit.scope.span_of(function.name)
                if first is None:
                    define_function(unit, function)
                else:
                    unit.report.add(
                        function_errors.import_clash(
                            function.name, statement.span, function.name_span, first
                        )
                    )


def _functions(file: tree.File) -> tuple[tree.FunctionDefinition, ...]:
    return tuple(s for s in file.statements if isinstance(s, tree.FunctionDefinition))


def _declared(file: tree.File) -> Iterator[tuple[str, Span]]:
    for statement in file.statements:
        match statement:
            case tree.DataDeclaration() | tree.ParamDeclaration():
                # A size that a shape names is declared by that.
                yield from ((n.name, n.span) for size in statement.shape for n in names(size))
                yield statement.name, statement.name_span
            case tree.DimDeclaration() | tree.Definition():
                yield statement.name, statement.name_span
            case _:
                pass
