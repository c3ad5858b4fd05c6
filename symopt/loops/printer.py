"""Kernels as text."""

from __future__ import annotations

from typing import cast

import sympy

from symopt.loops.program import (
    Collect,
    Fill,
    Kernel,
    Node,
    Part,
    Pass,
    Phase,
    Rows,
    Steps,
    Update,
)
from symopt.statements.printer import print_expression


def print_kernel(kernel: Kernel) -> str:
    """Buffers by storage, then the nodes, indented as they nest."""
    lines = [f"kernel {kernel.name}({', '.join(kernel.dims)})"]
    for buffer in kernel.buffers.values():
        shape = ", ".join(map(str, buffer.shape))
        lines.append(f"  {buffer.storage.value} {buffer.name}({shape})")
    for node in kernel.nodes:
        lines.extend(_node(node, "  "))
    return "\n".join(lines)


def _node(node: Node | Phase | Part, indent: str) -> list[str]:
    match node:
        case Fill(buffer, value):
            return [f"{indent}fill {buffer} with {value:g}"]
        case Collect(partial, target):
            return [f"{indent}{target} sum= {partial}, lane by lane"]
        case Pass(loop, lanes, blocks):
            tile = f", tiles of {lanes * blocks}" if blocks else ""
            plain = len(node.phases) == 1 and not node.phases[0].loops and not node.phases[0].sums
            inner = node.body if plain else node.phases
            lines = [line for part in inner for line in _node(part, indent + "  ")]
            return [f"{indent}pass {loop}, {lanes} at a time{tile}:", *lines]
        case Phase(loops, body, sums):
            around = f" for {', '.join(map(str, loops))}" if loops else ""
            lines = [line for part in body for line in _node(part, indent + "  ")]
            rest = [line for part in sums for line in _node(part, indent + "  ")]
            more = [f"{indent}then, a few at a time:", *rest] if rest else []
            return [f"{indent}phase{around}:", *lines, *more]
        case Steps(loop, backward, body):
            lines = [line for part in body for line in _node(part, indent + "  ")]
            return [f"{indent}steps {loop}{', backward' if backward else ''}:", *lines]
        case Rows(array, place, first, columns, write):
            part = f" from {first}" if first else ""
            rows = f"rows {array}[{', '.join(map(str, place))}]{part}"
            return [indent + (f"{rows} = {columns}" if write else f"{columns} = {rows}")]
        case Update():
            place = f"[{', '.join(map(str, node.place))}]" if node.place else ""
            operator = "=" if node.first or node.reduction == "=" else f"{node.reduction}="
            text = f"{indent}{node.target}{place} {operator} {_expression(node)}"
            loops = ", ".join(map(str, node.loops))
            return [text + (f" for {loops}" if loops else "")]


def _expression(update: Update) -> str:
    """The expression with every read at its place in the buffer."""
    places: dict[sympy.Symbol, sympy.Symbol] = {}
    for read in update.reads:
        if read.tensor is not None:
            place = f"[{', '.join(map(str, read.map))}]" if read.map else ""
            places[read.symbol] = sympy.Symbol(f"{read.tensor}{place}", real=True)
        else:
            places[read.symbol] = sympy.Symbol(f"#({read.map[0]})", real=True)
    return print_expression(cast(sympy.Expr, update.expression.xreplace(places)))
