"""Names of targets, as newcomers write them, and what they are told where there is none."""

from __future__ import annotations

import pytest

from symopt.native.target_names import UnknownTarget, named_target, named_targets
from symopt.native.targets import LEVELS, Target, host_target

LINUX = "x86_64-unknown-linux-gnu"
ARM = "aarch64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("aarch64", Target(ARM, "generic")),
        ("ARM64 ", Target(ARM, "generic")),
        ("aarch64:neoverse-v1", Target(ARM, "neoverse-v1")),
        ("linux", Target(LINUX, "x86-64")),
        ("linux:znver4", Target(LINUX, "znver4")),
        ("windows", Target("x86_64-pc-windows-msvc", "x86-64")),
        ("windows:x86-64-v3", Target("x86_64-pc-windows-msvc", "x86-64-v3")),
        ("mingw", Target("x86_64-pc-windows-gnu", "x86-64")),
        ("macos", Target("arm64-apple-macosx11.0", "generic")),
        ("macos:apple-m1", Target("arm64-apple-macosx11.0", "apple-m1")),
        ("macos-x86-64", Target("x86_64-apple-macosx10.15", "x86-64")),
        ("aarch64-pc-windows-msvc", Target("aarch64-pc-windows-msvc", "generic")),
        ("x86_64-linux:", Target("x86_64-linux", "x86-64")),
    ],
)
def test_a_name_means_a_target(name, target):
    assert named_target(name) == target


@pytest.mark.parametrize("name", ["native", "host", " Native"])
def test_native_is_this_processor(name):
    assert named_target(name) == host_target()


@pytest.mark.parametrize("name", ["x86-64", "x86_64", "amd64", "x64"])
def test_the_plainest_x86_has_several_names(name):
    assert named_target(name).cpu == "x86-64"


def test_levels_are_of_this_system():
    for level in LEVELS:
        found = named_target(level)
        assert (found.cpu, found.architecture) == (level, "x86-64")
        assert found.system == host_target().system
    assert named_target("x86_64-v3") == named_target("x86-64-v3")


def test_several_levels_are_each_taken_once():
    assert [one.cpu for one in named_targets("x86-64-v2, x86-64-v4,x86-64-v2")] == [
        "x86-64-v2",
        "x86-64-v4",
    ]
    cross = named_targets("windows:x86-64-v2,windows:x86-64-v3")
    assert {one.triple for one in cross} == {"x86_64-pc-windows-msvc"}


@pytest.mark.parametrize(
    ("names", "message", "help"),
    [
        ("avx2", "`avx2` is no target", "x86-64-v3 is the plainest target that has avx2"),
        ("sse4.2", "`sse4.2` is no target", "x86-64-v2 is the plainest target that has sse4.2"),
        ("avx512", "`avx512` is no target", "x86-64-v4 is the plainest target that has avx512"),
        ("x86", "`x86` is no target", "did you mean x86-64?"),
        ("arm", "`arm` is no target", "did you mean arm64?"),
        ("x86-64-v5", "`x86-64-v5` is no target", "did you mean x86-64-v4?"),
        ("win", "`win` is no target", "there is code for native"),
        ("riscv64", "`riscv64` is no target", "there is code for native, x86-64, x86-64-v2"),
        ("wasm32-unknown-unknown", "`wasm32-unknown-unknown` is no target", "there is code for"),
        ("", "the name of a target is missing", "there is code for native"),
        ("x86-64-v3,", "the name of a target is missing", "there is code for native"),
        ("znver4", "`znver4` is no target", "znver4 is a CPU: write linux:znver4"),
        ("neoverse-v1", "`neoverse-v1` is no target", "write aarch64:neoverse-v1"),
        ("apple-m1", "`apple-m1` is no target", "write macos:apple-m1"),
        ("aarch64:foo", f"LLVM knows no CPU `foo` of {ARM}", "as in znver4 or neoverse-v1"),
        ("aarch64:x86-64", f"LLVM knows no CPU `x86-64` of {ARM}", "as in znver4"),
        ("x86-64-v3:znver4", "no `:znver4` may follow", "write `linux:znver4`"),
        ("x86_64-pc-window-msvc", "names no system that is known", "known are linux, windows"),
        ("aarch64,x86-64", "one library cannot hold code for", "compile for each system by itself"),
        ("aarch64,aarch64:neoverse-v1", "is not a level of x86-64", "or one target"),
        ("linux:x86-64-v3,linux:znver4", "`znver4` is not a level of x86-64", "give levels"),
    ],
)  # fmt: skip
def test_what_there_is_instead(names, message, help):
    with pytest.raises(UnknownTarget) as refusal:
        named_targets(names)
    assert message in str(refusal.value)
    assert help in refusal.value.help


def test_what_llvm_prints_of_unknown_names_stays_inside(capfd):
    with pytest.raises(UnknownTarget):
        named_target("linux:nonsense")
    assert capfd.readouterr() == ("", "")
