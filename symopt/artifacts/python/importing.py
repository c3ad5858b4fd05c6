"""What lets `import loss` find `loss.py` where `loss.so` lies beside it.

On systems with ELF files Python looks for extension modules `*.so` first. The library is made one,
whose module is what `loss.py` makes of it; a program in C does not notice.
"""

from __future__ import annotations

from importlib.resources import files
from string import Template

_TEXT = """\
import importlib.machinery
__file__ = __file__.rpartition('.')[0] + '.py'
exec(importlib.machinery.SourceFileLoader(__name__, __file__).get_code(__name__))
"""


def emit_import(stem: str) -> str:
    """The IR of `PyInit_loss`."""
    template = files("symopt.artifacts.python").joinpath("importing.ll").read_text("utf-8")
    return Template(template).substitute(
        stem=stem,
        name_size=len(stem) + 1,
        text=_TEXT.replace("\n", "\\0A"),
        text_size=len(_TEXT) + 1,
    )
