"""The diagnostics of imports: files that are missing, cannot be read, or import each other."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.syntax import tree


def missing_file(statement: tree.Import, name: str, beside: Sequence[str]) -> Diagnostic:
    near = difflib.get_close_matches(os.path.basename(name), sorted(beside), n=1)
    return Diagnostic(
        Kind.PARSE,
        "import-not-found",
        f"there is no file `{name}`",
        (Label(statement.span, "imported here"),),
        help=f"did you mean `{near[0]}`?"
        if near
        else "a path is looked up beside the file that imports it",
    )


def unreadable_file(statement: tree.Import, name: str, reason: str) -> Diagnostic:
    return Diagnostic(
        Kind.PARSE,
        "import-not-read",
        f"`{name}` cannot be read: {reason}",
        (Label(statement.span, "imported here"),),
    )


def import_cycle(statement: tree.Import, name: str, between: Sequence[tree.Import]) -> Diagnostic:
    """`between` are the imports that lead from the file to the statement that imports it again."""
    return Diagnostic(
        Kind.PARSE,
        "import-cycle",
        f"`{name}` imports itself" + (" through other files" if between else ""),
        (
            Label(statement.span, "imported again here"),
            *(Label(s.span, "on the way there") for s in between),
        ),
        help="put what both files need into a third one",
    )
