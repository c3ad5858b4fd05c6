"""What `symopt compile` writes, as a whole: it passes its own tests, and altered fails them."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

import symopt
from symopt.artifacts.build import interface_of
from symopt.artifacts.link import link
from symopt.artifacts.package import Package, write_package
from symopt.native.targets import Target, host_target, machine

EXAMPLES = Path(__file__).parents[2] / "examples"
# Without a way to symopt, and without what it stands on.
BARE = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("symopt", "scipy", "sympy", "llvmlite", "lark"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Refusing())
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def compiled(path: Path, folder: Path, **options: object) -> Package:
    model = symopt.load(path)
    interface = interface_of(model, path.stem, None, model.default_sizes)
    return write_package(model, interface, [host_target()], folder)


def generated_tests(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Plain pytest on a folder, where symopt cannot be imported."""
    command = [sys.executable, "-c", BARE, "-q", "-p", "no:cacheprovider", "-p", "no:symopt"]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [*command, *words, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def misra1a(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return compiled(EXAMPLES / "nist" / "misra1a.sym", tmp_path_factory.mktemp("misra1a"))


def test_files(misra1a: Package) -> None:
    names = {file.name for file in misra1a.folder.iterdir()}
    assert names == set(misra1a.files)
    assert names == {
        *(f"misra1a.{suffix}" for suffix in ("h", "o", "so", "ll", "py", "json", "pc")),
        "test_misra1a.py",
        "misra1a-config.cmake",
    }
    document = json.loads((misra1a.folder / "misra1a.json").read_text())
    assert document["dims"] == {"n": {"size": None, "c_name": "n"}}
    assert [one["name"] for one in document["parameters"]] == ["b1", "b2"]
    assert document["n"] == 2
    assert {one["symbol"] for one in document["functions"]} >= {"misra1a_grad", "misra1a_hess"}
    assert document["versions"]["symopt"] == symopt.__version__
    assert set(document["files"]) < names


@pytest.mark.parametrize(
    "name", ["nist/misra1a", "logistic/logistic", "mixture/iris", "kalman/trend"]
)
def test_generated_tests_pass_without_symopt(name: str, tmp_path: Path) -> None:
    package = compiled(EXAMPLES / f"{name}.sym", tmp_path / "build")
    assert package.linked.problem is None
    run = generated_tests(package.folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


@pytest.mark.parametrize(
    "function",
    ["value", "grad", "value_and_grad", "hvp", "hess", "residuals", "jac", "gauss_newton"],
)
def test_a_changed_constant_is_noticed(function: str, misra1a: Package, tmp_path: Path) -> None:
    """One number of one function's machine code is off by a millionth."""
    folder = tmp_path / "build"
    shutil.copytree(misra1a.folder, folder)
    altered = with_changed_constant(misra1a.code.ir, function)
    host = host_target()
    target = Target(host.triple, "x86-64" if host.architecture == "x86-64" else "generic")
    image = machine(target).emit_object(llvm.parse_assembly(altered))
    (folder / "misra1a.o").write_bytes(image)
    assert link(folder, "misra1a", target).problem is None
    run = generated_tests(folder)
    assert run.returncode == 1, run.stdout
    failed = re.findall(r"^FAILED \S+::(test_\w+)", run.stdout, re.M)
    assert failed, run.stdout


def with_changed_constant(ir: str, function: str) -> str:
    """The IR with the last number changed that a kernel adds or multiplies with."""
    start = re.search(rf"^define internal void @misra1a\.{function}\.", ir, re.M)
    assert start is not None
    end = ir.index("\n}\n", start.start())
    body = ir[start.start() : end]
    pattern = r" f(?:mul|add) [^\n]* splat \(double ([^)]*)\)"
    number = list(re.finditer(pattern, body))[-1]
    before = number.group(1)
    bits = int(before, 16) if before.startswith("0x") else double_bits(float(before))
    (value,) = struct.unpack("<d", bits.to_bytes(8, "little"))
    after = f"0x{double_bits(value * (1 + 1e-6)):016X}"
    body = body[: number.start(1)] + after + body[number.end(1) :]
    return ir[: start.start()] + body + ir[end:]


def double_bits(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")
