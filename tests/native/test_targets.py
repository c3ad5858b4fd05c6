"""Targets: their parts, what LLVM knows of a CPU, and modules for them."""

from __future__ import annotations

import llvmlite.binding as llvm
import pytest

from symopt.native.maths import Cpu
from symopt.native.targets import (
    LEVELS,
    Target,
    capabilities,
    host,
    host_target,
    level_of,
    machine,
    module_for,
)

LINUX = "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("triple", "parts"),
    [
        ("x86_64-unknown-linux-gnu", ("x86-64", "linux", "elf")),
        ("x86_64-linux", ("x86-64", "linux", "elf")),
        ("aarch64-linux-android21", ("aarch64", "linux", "elf")),
        ("aarch64-unknown-freebsd", ("aarch64", "freebsd", "elf")),
        ("x86_64-pc-windows-msvc", ("x86-64", "windows", "coff")),
        ("aarch64-w64-windows-gnu", ("aarch64", "windows", "coff")),
        ("arm64-apple-macosx11.0", ("aarch64", "macos", "macho")),
        ("x86_64-apple-darwin23.1", ("x86-64", "macos", "macho")),
        ("x86_64-pc-window-msvc", ("x86-64", None, "elf")),
        ("x86_64", ("x86-64", None, "elf")),
        # Other instruction sets, and addresses of 32 bits.
        ("riscv64-unknown-linux-gnu", ("other", "linux", "elf")),
        ("aarch64_be-unknown-linux-gnu", ("other", "linux", "elf")),
        ("x86_64-unknown-linux-gnux32", ("other", "linux", "elf")),
    ],
)
def test_the_parts_of_a_triple(triple, parts):
    target = Target(triple, "generic")
    assert (target.architecture, target.system, target.format) == parts


def test_the_formats_are_those_of_llvm():
    for triple in (LINUX, "x86_64-pc-windows-gnu", "arm64-apple-macosx", "aarch64-linux-android"):
        known = {"ELF": "elf", "COFF": "coff", "MachO": "macho"}
        assert Target(triple, "").format == known[llvm.get_object_format(triple)]


def test_levels_have_their_own_number():
    assert [level_of(Target(LINUX, cpu)) for cpu in LEVELS] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("cpu", "level", "can"),
    [
        # By the manuals of Intel and AMD: Sandy Bridge has AVX without AVX2 and FMA, Piledriver
        # (bdver2) both but AVX2, Knights Landing only the foundation of AVX-512.
        ("core2", 1, Cpu(fma=False, scalef=False)),
        ("nehalem", 2, Cpu(fma=False, scalef=False)),
        ("sandybridge", 2, Cpu(fma=False, scalef=False)),
        ("bdver2", 2, Cpu(fma=True, scalef=False)),
        ("haswell", 3, Cpu(fma=True, scalef=False)),
        ("alderlake", 3, Cpu(fma=True, scalef=False)),
        ("knl", 3, Cpu(fma=True, scalef=True)),
        ("znver4", 4, Cpu(fma=True, scalef=True)),
    ],
)
def test_the_level_of_a_cpu_is_one_that_it_has_all_of(cpu, level, can):
    target = Target(LINUX, cpu)
    assert (level_of(target), capabilities(target)) == (level, can)


def test_other_processors_have_no_level():
    target = Target("aarch64-unknown-linux-gnu", "neoverse-v1")
    assert (level_of(target), capabilities(target)) == (0, Cpu(fma=True, scalef=False))


def test_what_this_processor_can_do_is_what_its_target_can():
    named = Target(host_target().triple, host_target().cpu, host_target().features)
    assert capabilities(named) == host()
    if named.architecture == "x86-64":
        features = llvm.get_host_cpu_features()
        assert (level_of(named) >= 3) <= bool(features["avx2"] and features["fma"])


def test_modules_have_the_triple_and_layout_of_their_target():
    target = Target("aarch64-unknown-linux-gnu", "generic")
    module = module_for(target, "define void @nothing() { ret void }")
    assert module.triple == target.triple
    assert module.data_layout == str(machine(target).target_data) != ""
