"""Kernels as text."""

from __future__ import annotations

from typing import cast

import sympy

from symopt.loops.program import Collect, Fill, Kernel, Node, Pass, Update
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


def _node(node: Node, indent: str) -> list[str]:
    match node:
        case Fill(buffer, value):
            return [f"{indent}fill {buffer} with {value:g}"]
        case Collect(partial, target):
            return [f"{indent}{target} sum= {partial}, lane by lane"]
        case Pass(loop, lanes, body):
            inner = [line for part in body for line in _node(part, indent + "  ")]
            return [f"{indent}pass {loop}, {lanes} at a time:", *inner]
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
