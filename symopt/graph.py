"""The dataflow of a program: what each definition reads, from data and parameters to the objective.

Written as Graphviz DOT, a statement a line, so that it is read as text and drawn by every viewer.
"""

from __future__ import annotations

from collections.abc import Iterator

from symopt.typed.program import Data, Definition, Param, Program
from symopt.typed.reads import integer_atoms, tensors_read
from symopt.types import Entry

_BOX, _ROUND = "box", "ellipse"


def print_graph(program: Program, cut: tuple[str, ...]) -> str:
    """The graph as DOT: inputs, definitions in order, and an edge for each that reads another."""
    used = _leading_to(program)
    lines = ["digraph {", "  rankdir = LR"]
    lines += [_input(one) for one in program.data.values()]
    lines += [_input(one) for one in program.params.values()]
    for name, parts in _definitions(program).items():
        lines.append(_definition(program, name, parts[0], name in cut, name in used))
        sources = dict.fromkeys(source for part in parts for source in _sources(program, part))
        recurrent = sources.pop(name, False) is None
        if sources:
            lines.append(f"  {' '.join(['{', *map(_quoted, sources), '}'])} -> {_quoted(name)}")
        if recurrent:
            lines.append(f'  {_quoted(name)} -> {_quoted(name)} [label="earlier"]')
    return "\n".join([*lines, "}"])


def _definitions(program: Program) -> dict[str, list[Definition]]:
    """Definitions by name; a name with several has one place in the graph."""
    found: dict[str, list[Definition]] = {}
    for definition in program.definitions:
        found.setdefault(definition.name, []).append(definition)
    return found


def _input(one: Data | Param) -> str:
    word = "param" if isinstance(one, Param) else "data"
    below = one.index_of if isinstance(one, Data) else None
    label = f"{word} {one.name}{_shape(one.shape)}" + (f" in {below}" if below is not None else "")
    style = ', style="bold"' if word == "param" else ""
    return f"  {_quoted(one.name)} [shape={_BOX}, label={_quoted(label)}{style}]"


def _definition(program: Program, name: str, one: Definition, in_cut: bool, used: bool) -> str:
    mark = f"{one.mark} " if one.mark else ""
    if name == program.objective:
        label = "maximize" if program.maximize else "minimize"
    else:
        label = f"{mark}{name.lstrip('~')}{_shape(one.shape)}"
    notes = [", peripheries=2" if in_cut else "", "" if used else ', style="dashed"']
    label += " (cut)" if in_cut else ""
    return f"  {_quoted(name)} [shape={_ROUND}, label={_quoted(label)}{''.join(notes)}]"


def _shape(shape: tuple[object, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]" if shape else ""


def _sources(program: Program, definition: Definition) -> Iterator[str]:
    """What a definition reads, in the order in which it stands there, index arrays last."""
    yield from dict.fromkeys(reversed(list(tensors_read(definition.body))))
    entries = (item for item in integer_atoms(definition.body) if isinstance(item, Entry))
    yield from sorted({entry.tensor for entry in entries})
    places = (*definition.target, *(e for a in definition.axes for e in (a.lower, a.upper)))
    yield from sorted({name for place in places for name in place.tensors})


def _leading_to(program: Program) -> set[str]:
    """The definitions that the objective needs."""
    definitions = _definitions(program)
    found: set[str] = set()
    pending = [program.objective] if program.objective else list(definitions)
    while pending:
        name = pending.pop()
        if name not in found and name in definitions:
            found.add(name)
            pending += [source for one in definitions[name] for source in tensors_read(one.body)]
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
