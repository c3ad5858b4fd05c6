"""`symopt compile`: what it writes, with and without a linker, and what it says of wrong input."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from symopt.native.targets import host_target

SHARED = ".dll" if sys.platform == "win32" else ".so"
OBJECTS = {"line.h", "line.o", "line.ll", "line.py", "test_line.py", "line.pc", "line-config.cmake"}
LINKS = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture
def compile_line(run, folder):
    """Compiles the line's value: what is in the folder then, and what `line.json` says."""

    def compile_line(*options, expected=0):
        result = run("compile", "line.sym", "-o", "built", "--functions", "value", *options)
        assert result.exit_code == expected, result.stderr
        if expected:
            assert not (folder / "built").exists()
            return result, set(), {}
        names = {path.name for path in (folder / "built").iterdir()}
        return result, names, json.loads((folder / "built" / "line.json").read_text())

    return compile_line


@LINKS
def test_everything_is_written_and_listed(compile_line):
    result, names, manifest = compile_line()
    assert names == OBJECTS | {f"line{SHARED}", "line.json"}
    assert set(manifest["files"]) == names - {"line.json"}
    assert result.stdout.split() == [f"built/{name}" for name in [*manifest["files"], "line.json"]]
    assert result.stderr == ""


# ── no linker ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("compiler", "problem"),
    [
        ("", "there is no C compiler that links for "),
        ("nothing-like-it -m64", "CC is `nothing-like-it -m64`, and there is no nothing-like-it"),
        ("'unbalanced", "CC is `'unbalanced`, which is no command: No closing quotation"),
    ],
)
def test_without_a_linker_everything_else_is_written(compile_line, monkeypatch, compiler, problem):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CC", compiler)
    result, names, manifest = compile_line()
    assert names == OBJECTS | {"line.json"}
    assert set(manifest["files"]) == OBJECTS
    assert f"warning: no shared library was made: {problem}" in result.stderr
    assert "help: in built, run: " in result.stderr
    assert " -o line" in result.stderr
    assert "note: everything else is written, and the object file is complete" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="runs scripts of the shell")
def test_a_linker_that_fails_is_quoted(compile_line, folder, monkeypatch):
    script = folder / "linker"
    script.write_text("#!/bin/sh\necho 'ld: no room for line.o' >&2\necho 'exit' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    result, names, _ = compile_line()
    assert names == OBJECTS | {"line.json"}
    assert (
        f"`{script} -shared -o line.so line.o -lm` failed: ld: no room for line.o" in result.stderr
    )


@pytest.mark.skipif(sys.platform == "win32", reason="runs scripts of the shell")
def test_a_linker_that_is_no_program_is_named(compile_line, folder, monkeypatch):
    script = folder / "linker"
    script.write_text("nothing that runs")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    result, names, _ = compile_line()
    assert names == OBJECTS | {"line.json"}
    assert "cannot be run: Exec format error" in result.stderr


@LINKS
def test_an_earlier_library_does_not_outlive_its_object(compile_line, monkeypatch):
    assert f"line{SHARED}" in compile_line()[1]
    monkeypatch.setenv("CC", "nothing-like-it")
    assert f"line{SHARED}" not in compile_line()[1]


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("aarch64", "aarch64-linux-gnu-gcc -shared -o line.so line.o -lm"),
        ("mingw", "x86_64-w64-mingw32-gcc -shared -o line.dll line.o"),
        (
            "x86_64-unknown-freebsd",
            "clang --target=x86_64-unknown-freebsd -shared -o line.so line.o -lm",
        ),
    ],
)
def test_another_system_needs_another_compiler(compile_line, monkeypatch, target, command):
    if target == "aarch64" and host_target().architecture == "aarch64":
        pytest.skip("links here")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    result, names, manifest = compile_line("--target", target)
    assert names == OBJECTS | {"line.json"}
    assert manifest["targets"][0]["triple"] in result.stderr
    assert f"help: in built, run: {command}\n" in result.stderr


# ── targets ──────────────────────────────────────────────────────────────────────────────────────


@LINKS
@pytest.mark.skipif(host_target().architecture != "x86-64", reason="links code for x86-64")
def test_several_levels_go_into_one_library(compile_line):
    _, names, manifest = compile_line("--target", "x86-64-v3,x86-64-v2")
    assert f"line{SHARED}" in names
    assert [one["cpu"] for one in manifest["targets"]] == ["x86-64-v2", "x86-64-v3"]


@pytest.mark.parametrize(
    ("target", "message", "help"),
    [
        ("avx2", "`avx2` is no target", "x86-64-v3 is the plainest target that has avx2"),
        ("x86", "`x86` is no target", "did you mean x86-64?"),
        ("arm", "`arm` is no target", "did you mean arm64?"),
        ("riscv64", "`riscv64` is no target", "there is code for native, x86-64"),
        ("x86-64-v5", "`x86-64-v5` is no target", "did you mean x86-64-v4?"),
        ("aarch64,x86-64", "one library cannot hold code for", "compile for each system by itself"),
        ("", "the name of a target is missing", "there is code for native, x86-64"),
    ],
)
def test_a_wrong_target_is_refused_before_anything_is_written(compile_line, target, message, help):
    result, _, _ = compile_line("--target", target, expected=2)
    first, second = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("  help: ")
    assert help in second


# ── names and files ──────────────────────────────────────────────────────────────────────────────


def test_files_of_others_are_not_written_over(compile_line, run, folder):
    compile_line()
    compile_line("--functions", "value,grad")  # its own may be
    (folder / "other").mkdir()
    (folder / "other" / "line.json").write_text('{"x": [1, 2]}')
    result = run("compile", "line.sym", "-o", "other")
    assert result.exit_code == 2
    assert "has files that symopt compile did not write: line.json" in result.stderr
    assert [path.name for path in (folder / "other").iterdir()] == ["line.json"]


@pytest.mark.parametrize("name", ["numpy", "random", "class", "test_line"])
def test_names_that_python_has_are_refused(compile_line, name):
    result, *_ = compile_line("--name", name, expected=2)
    assert "bad-name" in result.stderr or "name" in result.stderr


def test_a_description_is_no_data(compile_line, folder):
    from symopt.data_files import file_beside
    from symopt.source import Source

    compile_line()
    path = str(folder / "built" / "line.sym")
    assert file_beside(Source("line.sym", "", path)) is None
    (folder / "built" / "line.json").write_text('{"x": [1, 2]}')
    assert file_beside(Source("line.sym", "", path)) == str(folder / "built" / "line.json")
