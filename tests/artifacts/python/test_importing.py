"""`import loss` takes `loss.py`, though Python finds `loss.so` first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symopt
from tests.support.python_artifacts import compile_into

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there, libraries are no modules")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    compile_into(folder, symopt.parse("param b init 2\nminimize b^2"), "square", ["value"])
    return folder


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_module_is_that_of_the_file(compiled: Path) -> None:
    program = (
        "import importlib, pickle, square\n"
        "print(square.__file__, square.bind().value([3.0]))\n"
        "assert pickle.loads(pickle.dumps(square.DataError('no'))).args == ('no',)\n"
        "assert importlib.import_module('square') is importlib.reload(square) is square\n"
    )
    found = run(compiled, program)
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"{compiled / 'square.py'} 9.0\n"


def test_what_goes_wrong_in_it_is_told(compiled: Path, tmp_path: Path) -> None:
    found = run(compiled, "import sys\nsys.modules['numpy'] = None\nimport square")
    assert "ModuleNotFoundError: import of numpy halted" in found.stderr
    shutil.copy(compiled / "square.so", tmp_path)
    found = run(tmp_path, "import square")
    assert "FileNotFoundError" in found.stderr and "square.py" in found.stderr


def test_programs_in_c_need_no_python(compiled: Path, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        "#include <stdint.h>\n#include <stdio.h>\n"
        "int64_t square_n(const void *);\n"
        'int main(void) { int64_t d[2] = {0, 0}; printf("%d", (int)square_n(d)); return 0; }\n'
    )
    words = ["cc", "main.c", str(compiled / "square.o"), "-Wl,--no-undefined", "-lm", "-o", "main"]
    subprocess.run(words, cwd=tmp_path, check=True)
    found = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert found.stdout == "1"
