"""What CMake and pkg-config find beside compiled code, in a folder whose name has a space."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import symopt
from symopt.artifacts.build import generate_code, interface_of
from symopt.artifacts.header import header
from symopt.artifacts.manifest import cmake_config, pkg_config
from symopt.native.targets import host_target
from tests.support.c_driver import run

COUNT_H = "#include <stdint.h>\nint64_t count(int64_t d);\n"
COUNT_C = """\
#include "count.h"
#include "logistic.h"
int64_t count(int64_t d) {
    logistic_data data = {0};
    data.d = d;
    return logistic_n(&data);
}
"""
MAIN_C = """\
#include <stdio.h>
#include "count.h"
#include "logistic.h"
int main(void) {
    logistic_data data = {0};
    data.d = 4;
    printf("%d %d\\n", (int)count(3), (int)logistic_n(&data));
    return 0;
}
"""
# The object reaches the program twice: by itself, and through each library that was made with it.
CMAKE = """\
cmake_minimum_required(VERSION 3.13)
project(counting C)
find_package(logistic CONFIG REQUIRED)
find_package(logistic CONFIG REQUIRED)
add_library(inside STATIC count.c)
target_link_libraries(inside PUBLIC logistic::logistic)
add_library(shared SHARED count.c)
target_link_libraries(shared PRIVATE logistic::logistic)
add_executable(with_static main.c)
target_link_libraries(with_static PRIVATE inside logistic::logistic)
add_executable(with_shared main.c)
target_link_libraries(with_shared PRIVATE shared logistic::logistic)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sources, with compiled code in `my build`, moved there from elsewhere."""
    made, place = tmp_path / "made", tmp_path / "my build"
    made.mkdir()
    model = symopt.load(Path(__file__).parents[2] / "examples" / "logistic" / "logistic.sym")
    interface = interface_of(model, "logistic", ["value"])
    texts = {
        "logistic.h": header(interface, "logistic.sym", [host_target()]),
        "logistic.pc": pkg_config("logistic", "a loss"),
        "logistic-config.cmake": cmake_config("logistic"),
    }
    for name, text in texts.items():
        (made / name).write_text(text, encoding="utf-8")
    (made / "logistic.o").write_bytes(generate_code(interface, [host_target()]).image)
    made.rename(place)
    texts = {"count.h": COUNT_H, "count.c": COUNT_C, "main.c": MAIN_C, "CMakeLists.txt": CMAKE}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.skipif(shutil.which("cmake") is None, reason="there is no CMake")
def test_cmake(folder: Path) -> None:
    where = f"-DCMAKE_PREFIX_PATH={folder / 'my build'}"
    run("cmake", "-S", ".", "-B", "cmake", where, folder=folder)
    run("cmake", "--build", "cmake", folder=folder)
    for program in ("with_static", "with_shared"):
        assert run(str(folder / "cmake" / program), folder=folder) == "4 5\n"


@pytest.mark.skipif(
    None in map(shutil.which, ("pkg-config", "cc")), reason="there is no pkg-config or no compiler"
)
def test_pkg_config(folder: Path) -> None:
    # Spaces are escaped for a shell.
    words = (
        'eval cc count.c main.c "$(pkg-config --cflags --libs logistic)" -o program && ./program'
    )
    found = run("sh", "-c", words, folder=folder, PKG_CONFIG_PATH=str(folder / "my build"))
    assert found == "4 5\n"
