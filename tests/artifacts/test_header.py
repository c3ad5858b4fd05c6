"""The header of compiled code, as compilers of C and C++ read it, with every warning."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import symopt
from symopt.artifacts.build import interface_of
from symopt.artifacts.header import header
from symopt.native.targets import host_target
from tests.support.c_driver import run

EXAMPLES = Path(__file__).parents[2] / "examples"
WARNINGS = ("-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")
LANGUAGES = {
    "C99": ("cc", "-x", "c", "-std=c99"),
    "C11": ("cc", "-x", "c", "-std=c11"),
    "GNU C17": ("cc", "-x", "c", "-std=gnu17"),  # in which unix and linux are numbers
    "C++17": ("c++", "-x", "c++", "-std=c++17"),
}
# Everything that a header may be included after, macros and all.
BEFORE = "".join(
    f"#include <{name}.h>\n" for name in ("stdio", "errno", "math", "assert", "complex", "stdlib")
)
DESCRIPTIONS = r"""
dim n "ends */ here, and // and /* and a backslash \"
data x[n] "trigraphs ??/ ???> and a tab	", class[n] in n "π, ∑ and 漢字 /*/ **/", y[n] "*\"
data z = 1 "*//"
param a init 0 "*/ #error", b init 1 "%s ??/"
residual r[i] = a * x[i] + b * y[class[i]] - z
"""
# Keywords, macros, fields that every record has, and arguments of functions; two spelled alike.
NAMES = """
class int double_ NULL EOF I NAN complex errno stdin unix linux near assert isnan int64_t _Bool
__LINE__ __FILE__ unsigned private this checked finite σ sigma λ Δx p v work work_size n_ _n
"""


def compile_header(language: str, headers: Mapping[str, str], folder: Path) -> None:
    """Include headers, twice each, and make a record of each."""
    compiler, *options = LANGUAGES[language]
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no compiler of {language}")
    for stem, text in headers.items():
        (folder / f"{stem}.h").write_text(text, encoding="utf-8")
    twice = "".join(f'#include "{stem}.h"\n' for stem in [*headers, *headers])
    records = "".join(f"{stem}_data of_{stem};\n" for stem in headers)
    (folder / "all.c").write_text(BEFORE + twice + records)
    run(compiler, *options, *WARNINGS, "-I", ".", "all.c", folder=folder)


@pytest.fixture(scope="module")
def of_examples() -> dict[str, str]:
    """The headers of all examples."""
    found: dict[str, str] = {}
    for path in sorted(EXAMPLES.rglob("*.sym")):
        if "reproductions" not in path.parts:
            stem = f"{path.parent.name}_{path.stem}".replace("-", "_")
            model = symopt.load(path)
            known = {name: d.default for name, d in model.dims.items() if d.default is not None}
            interface = interface_of(model, stem, ("value", "grad"), known)
            found[stem] = header(interface, path.name, [host_target()])
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples(language: str, of_examples: dict[str, str], tmp_path: Path) -> None:
    compile_header(language, of_examples, tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_description(language: str, tmp_path: Path) -> None:
    interface = interface_of(symopt.parse(DESCRIPTIONS), "loss", ("value", "residuals"))
    text = header(interface, "a */ file\nof ??/ \\", [host_target()])
    compile_header(language, {"loss": text}, tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_name(language: str, tmp_path: Path) -> None:
    names = NAMES.split()
    data = ", ".join(f"{name}[n]" for name in names)
    used = " + ".join(names)
    model = symopt.parse(f"data {data}\nparam double init 0\nminimize sum({used}) * double^2")
    interface = interface_of(model, "loss", ("value",))
    assert len(set(interface.identifiers.values())) == len(names) + 1
    compile_header(language, {"loss": header(interface, "names.sym", [host_target()])}, tmp_path)
