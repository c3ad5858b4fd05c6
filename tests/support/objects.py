"""Small readers of object files: which symbols they define for others, and which they need."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Symbols:
    """Names as C has them; `weak` ones may be missing."""

    defined: frozenset[str]
    needed: frozenset[str]
    weak: frozenset[str] = frozenset()


def _text(image: bytes, start: int) -> str:
    return image[start : image.index(b"\0", start)].decode()


def elf_symbols(image: bytes) -> tuple[int, Symbols]:
    """The machine's number and the symbols of an ELF file of 64 bits."""
    machine, start, size, count = (
        struct.unpack_from(form, image, at)[0]
        for form, at in (("<H", 18), ("<Q", 40), ("<H", 58), ("<H", 60))
    )
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, start + size * k) for k in range(count)]
    (table,) = (section for section in sections if section[1] == 2)
    names = sections[table[6]][4]
    found: dict[str, set[str]] = {"defined": set(), "needed": set(), "weak": set()}
    for at in range(table[4], table[4] + table[5], 24):
        name, info, _, section = struct.unpack_from("<IBBH", image, at)
        binding = info >> 4
        if binding and name:  # 0 is local, 2 is weak
            kind = "defined" if section else "weak" if binding == 2 else "needed"
            found[kind].add(_text(image, names + name))
    return machine, Symbols(**{kind: frozenset(them) for kind, them in found.items()})


def coff_symbols(image: bytes) -> tuple[int, Symbols]:
    """The machine's number and the symbols of a COFF file of Windows."""
    machine, _, _, start, count = struct.unpack_from("<HHIII", image, 0)
    names, defined, needed, skip = start + 18 * count, set(), set(), 0
    for at in range(start, names, 18):
        if skip:
            skip -= 1
            continue
        short, _, section, _, kind, skip = struct.unpack_from("<8sIhHBB", image, at)
        zero, far = struct.unpack("<II", short)
        name = short.rstrip(b"\0").decode() if zero else _text(image, names + far)
        if kind == 2:  # external
            (defined if section else needed).add(name)
    # Constants that equal ones of other files are merged with.
    constants = frozenset(name for name in defined if name.startswith("__real@"))
    constants |= frozenset(name for name in defined if name.startswith(("__xmm@", "__ymm@")))
    return machine, Symbols(frozenset(defined) - constants, frozenset(needed))


def macho_symbols(image: bytes) -> tuple[int, Symbols]:
    """The machine's number and the symbols of a Mach-O file of 64 bits."""
    machine, _, _, commands = struct.unpack_from("<IIII", image, 4)
    at, defined, needed = 32, set(), set()
    for _ in range(commands):
        kind, size = struct.unpack_from("<II", image, at)
        if kind == 2:  # the symbol table
            symbols, count, names, _ = struct.unpack_from("<IIII", image, at + 8)
            for k in range(count):
                name, flags, section = struct.unpack_from("<IBB", image, symbols + 16 * k)
                if flags & 1 and not flags & 0xE0:  # external, and nothing for debuggers
                    found = _text(image, names + name)
                    assert found.startswith("_")
                    (defined if section else needed).add(found[1:])
        at += size
    return machine, Symbols(frozenset(defined), frozenset(needed))
