"""Code for other processors: several variants in one library, and objects of other systems.

What a processor answers is played by functions of our own; what a variant computes is compared with
the just-in-time compiler's code, and other systems' objects are taken apart.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache

import llvmlite.binding as llvm
import numpy as np
import pytest

import symopt
from symopt.artifacts.build import generate_code, interface_of
from symopt.artifacts.entries.emit import emit_entries
from symopt.artifacts.entries.running import Variant, kernel_symbol
from symopt.artifacts.entries.status import Status
from symopt.artifacts.header import header
from symopt.native.jit import compile_ir
from symopt.native.target_names import named_target, named_targets
from symopt.native.targets import LEVELS, Target, host_target, level_of, machine
from tests.support.artifacts import Compiled, bound_arrays, compiled_sizes
from tests.support.objects import coff_symbols, elf_symbols, macho_symbols

ON_X86 = pytest.mark.skipif(host_target().architecture != "x86-64", reason="runs code for x86-64")
HERE = level_of(host_target())
# What differs between processors: vectors of samples and a rest, sums, own functions of numbers, a
# function of libm (pow, beyond what ours covers).
PROGRAM = """\
data x[n], y[n]
param a init 0.7, b init 0.3
model f[i] = a * (1 - exp(-b * x[i])) + (a * x[i])^b
residual r[i] = y[i] - f[i]
"""
FUNCTIONS = ("value", "gauss_newton")
VARIANTS = tuple(Variant(level, f"level{level}") for level in (2, 3, 4))


def small_interface(precision="float64", functions=FUNCTIONS):
    return interface_of(symopt.parse(PROGRAM), "loss", functions, {}, precision)


def small_problem(precision="float64"):
    x = np.linspace(0.1, 3.0, 21)
    return symopt.parse(PROGRAM).bind(x=x, y=np.cos(x), dtype=precision)


def small_record(compiled, precision="float64"):
    return compiled.data({"n": 21}, bound_arrays(small_problem(precision)))


@cache
def code_for(names, precision="float64"):
    return generate_code(small_interface(precision), named_targets(names))


def forced(names, folder, precision="float64"):
    """A library of some targets, and the variable of the level that it takes the processor for."""
    code = code_for(names, precision)
    hidden, shown = "@level = internal global i32 0", "@level = global i32 0"
    assert hidden in code.ir
    ir = code.ir.replace(hidden, shown)
    plain = machine(Target(code.targets[0].triple, LEVELS[0]))
    code = replace(code, ir=ir, image=plain.emit_object(llvm.parse_assembly(ir)))
    compiled = Compiled(small_interface(precision), folder, code=code)
    return compiled, ctypes.c_int32.in_dll(compiled.library, "level")


def results(compiled, record, p):
    """What all functions of the loss write, by name."""
    found = {}
    for entry in compiled.interface.functions:
        inputs = [np.asarray(p if one.name == "p" else np.cos(p), p.dtype) for one in entry.inputs]
        status, found[entry.name] = compiled.call(entry.name, record, *inputs)
        assert status is Status.OK
    return found


def same_bits(a, b):
    return all(
        x.tobytes() == y.tobytes() for name in a for x, y in zip(a[name], b[name], strict=True)
    )


def close(found, expected, tolerance):
    """Within a tolerance of the largest element of each result."""
    return all(
        np.max(np.abs(x - y)) <= tolerance * np.max(np.abs(y))
        for name in expected
        for x, y in zip(found[name], expected[name], strict=True)
    )


# ── which level a processor has ──────────────────────────────────────────────────────────────────

# Bits of CPUID and XCR0 as the supplement of the System V ABI for x86-64 (table 3.1) and the
# manuals name them: where they are, and the level that asks for them.
LEAF1_C, LEAF7_B, EXTENDED_C, SAVED = range(4)
BITS = {
    "sse3": (LEAF1_C, 0, 2),
    "ssse3": (LEAF1_C, 9, 2),
    "cmpxchg16b": (LEAF1_C, 13, 2),
    "sse4.1": (LEAF1_C, 19, 2),
    "sse4.2": (LEAF1_C, 20, 2),
    "popcnt": (LEAF1_C, 23, 2),
    "lahf": (EXTENDED_C, 0, 2),
    "fma": (LEAF1_C, 12, 3),
    "movbe": (LEAF1_C, 22, 3),
    "osxsave": (LEAF1_C, 27, 3),
    "avx": (LEAF1_C, 28, 3),
    "f16c": (LEAF1_C, 29, 3),
    "bmi1": (LEAF7_B, 3, 3),
    "avx2": (LEAF7_B, 5, 3),
    "bmi2": (LEAF7_B, 8, 3),
    "lzcnt": (EXTENDED_C, 5, 3),
    "saves xmm": (SAVED, 1, 3),
    "saves ymm": (SAVED, 2, 3),
    "avx512f": (LEAF7_B, 16, 4),
    "avx512dq": (LEAF7_B, 17, 4),
    "avx512cd": (LEAF7_B, 28, 4),
    "avx512bw": (LEAF7_B, 30, 4),
    "avx512vl": (LEAF7_B, 31, 4),
    "saves masks": (SAVED, 5, 4),
    "saves upper zmm": (SAVED, 6, 4),
    "saves zmm 16 to 31": (SAVED, 7, 4),
}
# A processor that answers from a table: the words above, then its highest leaf; it notes whether
# XGETBV was run, which ends the process where the system does not use it.
ANSWERS = """
@answers = internal global ptr null
define internal i32 @word(i64 %number) {
  %table = load ptr, ptr @answers
  %at = getelementptr i64, ptr %table, i64 %number
  %word = load i32, ptr %at
  ret i32 %word
}
define internal i32 @if(i32 %leaf, i32 %wanted, i64 %number) {
  %word = call i32 @word(i64 %number)
  %this = icmp eq i32 %leaf, %wanted
  %answer = select i1 %this, i32 %word, i32 0
  ret i32 %answer
}
define internal { i32, i32, i32, i32 } @cpuid(i32 %leaf) {
  %a = call i32 @if(i32 %leaf, i32 0, i64 4)
  %b = call i32 @if(i32 %leaf, i32 7, i64 1)
  %one = call i32 @if(i32 %leaf, i32 1, i64 0)
  %more = call i32 @if(i32 %leaf, i32 -2147483647, i64 2)
  %c = or i32 %one, %more
  %1 = insertvalue { i32, i32, i32, i32 } zeroinitializer, i32 %a, 0
  %2 = insertvalue { i32, i32, i32, i32 } %1, i32 %b, 1
  %3 = insertvalue { i32, i32, i32, i32 } %2, i32 %c, 2
  ret { i32, i32, i32, i32 } %3
}
define internal { i32, i32 } @xgetbv() {
  %table = load ptr, ptr @answers
  %at = getelementptr i64, ptr %table, i64 5
  store i64 1, ptr %at
  %a = call i32 @word(i64 3)
  %1 = insertvalue { i32, i32 } zeroinitializer, i32 %a, 0
  ret { i32, i32 } %1
}
define void @ask(ptr %table) {
  store ptr %table, ptr @answers
  store i32 0, ptr @level
  %found = call i32 @processor()
  %at = getelementptr i64, ptr %table, i64 6
  %wide = sext i32 %found to i64
  store i64 %wide, ptr %at
  ret void
}
"""


@pytest.fixture(scope="module")
def level_of_processor():
    """The level that the entries find of a processor with some features, and if XGETBV ran."""
    ir = emit_entries(small_interface(functions=["value"]), VARIANTS)
    start, end = ir.index("@level = internal"), ir.index("define internal i1 @has")
    levels = ir[start : ir.index("}", end) + 1]
    levels = re.sub(r"define internal \{[^}]*\} @cpuid\(.*?\n\}", "", levels, flags=re.S)
    levels, asked = re.subn(r"call (\{ i32, i32 \}) asm .*", r"call \1 @xgetbv()", levels)
    assert asked == 1
    library = compile_ir(levels + ANSWERS, "ask")

    def ask(features, highest_leaf=31):
        table = np.zeros(7, np.int64)
        for name in features:
            word, bit, _ = BITS[name]
            table[word] |= 1 << bit
        table[4] = highest_leaf
        library.entry(table.ctypes.data)
        return int(table[6]), bool(table[5])

    return ask


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_processor_has_a_level_with_all_of_its_features(level_of_processor, level):
    features = [name for name, (_, _, wanted) in BITS.items() if wanted <= level]
    assert level_of_processor(features) == (level, level >= 3)


@pytest.mark.parametrize("missing", BITS)
def test_a_processor_that_lacks_one_feature_has_the_level_below(level_of_processor, missing):
    level, asked = level_of_processor([name for name in BITS if name != missing])
    assert level == BITS[missing][2] - 1
    assert not (asked and missing == "osxsave")


def test_what_the_system_saves_is_asked_only_where_it_may_be(level_of_processor):
    assert level_of_processor([]) == (1, False)
    assert level_of_processor([name for name in BITS if name != "osxsave"]) == (2, False)


def test_a_processor_without_leaf_seven_is_not_asked_for_it(level_of_processor):
    assert level_of_processor(BITS, highest_leaf=6) == (2, False)


# ── which variant runs ───────────────────────────────────────────────────────────────────────────


def level_and_status(variants, level=None):
    """What `loss_value` returns, and the level of the variant that it ran.

    Instead of kernels there are functions that write their level to where the value belongs.
    """
    interface = small_interface(functions=["value"])
    ir = emit_entries(interface, variants)
    (entry,) = interface.functions
    place = entry.kernel.arguments.index(entry.kernel.outputs[0])
    for name in {found.rpartition(".")[0] for found in re.findall(r"declare void @(\S+)\(", ir)}:
        for one in variants:
            symbol = kernel_symbol(interface, name.removeprefix("loss."), one)
            body = f"""define internal void @{symbol}(ptr %table) {{
              %at = getelementptr ptr, ptr %table, i64 {place}
              %to = load ptr, ptr %at
              store double {one.level}.0, ptr %to
              ret void
            }}"""
            ir = ir.replace(f"declare void @{symbol}(ptr)", body)
    if level is not None:
        ir = ir.replace("@level = internal global i32 0", f"@level = internal global i32 {level}")
    ir += """
    define void @ask(ptr %arguments) {
      %p.at = getelementptr ptr, ptr %arguments, i64 1
      %value.at = getelementptr ptr, ptr %arguments, i64 2
      %status.at = getelementptr ptr, ptr %arguments, i64 3
      %work.at = getelementptr ptr, ptr %arguments, i64 4
      %data = load ptr, ptr %arguments
      %p = load ptr, ptr %p.at
      %value = load ptr, ptr %value.at
      %work = load ptr, ptr %work.at
      %status = call i32 @loss_value(ptr %data, ptr %p, ptr %value, ptr %work, i64 100000)
      %wide = sext i32 %status to i64
      store i64 %wide, ptr %status.at
      ret void
    }"""
    library = compile_ir(ir, "ask")
    x, p, value, work = np.ones(1), np.ones(2), np.zeros(1), np.zeros(100_000, np.uint8)
    data = np.array([1, x.ctypes.data, (x + 1).ctypes.data, 0, 0], np.int64)
    pointers = [array.ctypes.data for array in (data, p, value)]
    arguments = np.array([*pointers, -1, work.ctypes.data], np.int64)
    library.entry(arguments.ctypes.data)
    return int(value[0]), Status(arguments[3])


@pytest.mark.parametrize(("level", "run"), [(2, 2), (3, 3), (4, 4)])
def test_the_best_variant_that_a_processor_has_runs(level, run):
    assert level_and_status(VARIANTS, level) == (run, Status.OK)


def test_variants_between_levels_run_on_all_above_them():
    variants = tuple(Variant(level, f"level{level}") for level in (1, 3))
    found = [level_and_status(variants, level)[0] for level in (1, 2, 3, 4)]
    assert found == [1, 1, 3, 3]


@pytest.mark.parametrize("variants", [VARIANTS, VARIANTS[1:], VARIANTS[2:]])
def test_a_processor_below_all_variants_is_told_and_nothing_is_written(variants):
    assert level_and_status(variants, variants[0].level - 1) == (0, Status.PROCESSOR)


@ON_X86
def test_this_processor_has_the_level_that_llvm_says():
    every = tuple(Variant(level, f"level{level}") for level in (1, 2, 3, 4))
    assert level_and_status(every) == (HERE, Status.OK)


# ── several variants of real kernels ─────────────────────────────────────────────────────────────

SEVERAL = "x86-64,x86-64-v2,x86-64-v3,x86-64-v4"


@ON_X86
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_each_variant_computes_what_the_just_in_time_code_does(tmp_path, precision):
    problem = small_problem(precision)
    compiled, level = forced(SEVERAL, tmp_path, precision)
    record = small_record(compiled, precision)
    p = problem.x0.astype(compiled.real)
    expected = {"value": (problem.value(p),), "gauss_newton": problem.gauss_newton(p)}
    for level.value in range(1, HERE + 1):
        # Products are fused or not, and sums have other numbers of lanes: roundings of 21 terms.
        tolerance = 1e-13 if precision == "float64" else 1e-5
        assert close(results(compiled, record, p), expected, tolerance), level.value
    level.value = 0  # not asked yet: the first call asks
    results(compiled, record, p)
    assert level.value == HERE


@ON_X86
def test_a_processor_below_the_plainest_variant_is_told(tmp_path):
    compiled, level = forced("x86-64-v2,x86-64-v3", tmp_path)
    record, p = small_record(compiled), small_problem().x0
    level.value = 1
    for entry in compiled.interface.functions:
        status, found = compiled.call(entry.name, record, p)
        assert status is Status.PROCESSOR
        assert all((array == 7).all() for array in found)  # as it was
    assert compiled.function("message", ctypes.c_char_p)(Status.PROCESSOR) == (
        b"this processor lacks what the code was compiled for"
    )


@ON_X86
def test_a_variant_has_the_same_bits_among_others_and_alone(tmp_path):
    several, level = forced("x86-64-v2,x86-64-v3", tmp_path)
    level.value = min(HERE, 3)
    (tmp_path / "alone").mkdir()
    names = LEVELS[level.value - 1]
    alone = Compiled(small_interface(), tmp_path / "alone", code=code_for(names))
    p = small_problem().x0
    one, other = (results(each, small_record(each), p) for each in (several, alone))
    assert same_bits(one, other)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_native_code_has_the_bits_of_the_just_in_time_code(tmp_path, precision):
    problem = small_problem(precision)
    sizes = compiled_sizes(problem, symopt.parse(PROGRAM))
    interface = interface_of(symopt.parse(PROGRAM), "loss", FUNCTIONS, sizes, precision)
    compiled = Compiled(interface, tmp_path, named_targets("native"))
    p = problem.x0.astype(compiled.real)
    expected = {"value": (np.array(problem.value(p)),), "gauss_newton": problem.gauss_newton(p)}
    assert same_bits(results(compiled, small_record(compiled, precision), p), expected)


# What a level lacks, in LLVM's spelling: levels are numbered as they come with it.
_SINCE = {
    2: r"h(add|sub)p[sd]|addsubp[sd]|mov(ddup|shdup|sldup)|lddqu|pshufb|ph(add|sub)\w+|psign\w"
    r"|pabs\w|palignr|pmulhrsw|blend(v)?p[sd]|pblend\w+|round[sp][sd]|dpp[sd]|pmov[sz]x\w+|ptest"
    r"|p(extr|insr)[bdq]|insertps|extractps|pcmp(gt|eq)q|pcmp[ei]str\w|pmulld|pmuldq|packusdw"
    r"|pm(in|ax)(sb|sd|uw|ud)|popcnt\w?|crc32\w?|cmpxchg16b|lahf|sahf",
    3: r"v\w+|andn\w?|bextr\w?|bls(i|r|msk)\w?|bzhi\w?|mulx\w?|pdep\w?|pext\w?|rorx\w?"
    r"|(sar|shl|shr)x\w?|[tl]zcnt\w?|movbe\w?",
}


def instructions(code):
    """The text of every function as an assembler reads it."""
    plain = machine(Target(code.targets[0].triple, LEVELS[0]))
    text = plain.emit_assembly(llvm.parse_assembly(code.ir))
    functions = re.findall(r"^([a-zA-Z]\S*):\n(.*?)^\.Lfunc_end", text, re.DOTALL | re.MULTILINE)
    return dict(functions)


def beyond(text, level):
    """Names of instructions and registers that a level does not have."""
    since = "|".join(words for first, words in _SINCE.items() if first > level)
    found = set(re.findall(rf"^\t({since})\s", text, re.M)) if since else set()
    found = {one if isinstance(one, str) else one[0] for one in found}
    registers = [r"ymm"] * (level < 3) + [r"zmm|%k\d|[xy]mm(?:1[6-9]|2\d|3[01])"] * (level < 4)
    return found | {one for pattern in registers for one in re.findall(pattern, text)}


def test_entries_are_for_the_plainest_processor_and_kernels_for_theirs():
    found = instructions(code_for(SEVERAL))
    kernels = {name: re.search(r"\.x86_64(?:_v(\d))?$", name) for name in found}
    assert {name.rpartition(".")[0] for name, kernel in kernels.items() if kernel} >= {
        f"loss.{name}" for name in FUNCTIONS
    }
    assert {"loss_value", "loss_check", "processor", "data", "fill"} <= found.keys()
    for name, text in found.items():
        kernel = kernels[name]
        level = int(kernel[1] or 1) if kernel else 1
        assert beyond(text, level) == set(), name
    # And the search finds what there is.
    assert "blendvpd" in beyond(found["loss.value.x86_64_v2"], 1)
    assert "ymm" in beyond(found["loss.value.x86_64_v3"], 2)
    assert "zmm" in beyond(found["loss.value.x86_64_v4"], 3)


# ── objects of other systems ─────────────────────────────────────────────────────────────────────

LIBM = {"sin", "cos", "tan", "exp", "log", "pow", "fmod"}
IMPORT = {"PyInit_loss"}  # of libraries that are Python modules too
# Magic numbers and machines: ELF's EM_, Microsoft's IMAGE_FILE_MACHINE_, Mach-O's CPU_TYPE_.
OTHERS = {
    "aarch64-unknown-linux-gnu": (elf_symbols, b"\x7fELF\x02\x01", 183, IMPORT, set()),
    "aarch64:neoverse-v1": (elf_symbols, b"\x7fELF\x02\x01", 183, IMPORT, set()),
    "x86_64-unknown-linux-gnu": (elf_symbols, b"\x7fELF\x02\x01", 62, IMPORT, set()),
    "arm64-apple-macosx": (macho_symbols, b"\xcf\xfa\xed\xfe", 0x0100000C, set(), set()),
    "x86_64-apple-macosx": (macho_symbols, b"\xcf\xfa\xed\xfe", 0x01000007, set(), set()),
    # What compilers for Windows expect of their runtime: one says that floating-point numbers are
    # used, the other touches the pages of a large frame.
    "x86_64-pc-windows-msvc": (
        coff_symbols, b"\x64\x86", 0x8664, set(), {"_fltused", "__chkstk"}
    ),
    "x86_64-pc-windows-gnu": (coff_symbols, b"\x64\x86", 0x8664, set(), {"___chkstk_ms"}),
    "aarch64-pc-windows-msvc": (
        coff_symbols, b"\x64\xaa", 0xAA64, set(), {"_fltused", "__chkstk"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", OTHERS)
def test_objects_define_what_the_header_says_and_need_libm_only(name, precision):
    symbols, magic, number, more, runtime = OTHERS[name]
    interface = small_interface(precision)
    code = generate_code(interface, [named_target(name)])
    assert code.image.startswith(magic)
    arch, found = symbols(code.image)
    declared = set(re.findall(r"\b(loss_\w+)\(", header(interface, "loss.sym", code.targets)))
    assert arch == number
    assert found.defined == declared | more
    assert "pow" in found.needed
    assert found.needed <= LIBM | runtime
    assert all(one.startswith(("Py", "_Py")) for one in found.weak)
    if symbols is coff_symbols:
        marks = re.findall(rb"[/-]export:(\w+)", code.image, re.IGNORECASE)
        assert {mark.decode() for mark in marks} == declared


# ── aarch64, run ─────────────────────────────────────────────────────────────────────────────────

CALLER = """\
#include <stdio.h>
#include "loss.h"
static char work[1 << 20];
static double out[1000];
static void show(int32_t status, int count) {
    printf("%d", (int)status);
    for (int k = 0; k < count; k++) printf(" %.17g", out[k]);
    printf("\\n");
}
int main(void) {
    loss_data data = {N, x, y, 0, 1};
    show(loss_value(&data, p, out, work, sizeof work), 1);
    show(loss_gauss_newton(&data, p, out, out + 4, work, sizeof work), 6);
    data.n = -1;
    show(loss_value(&data, p, out, work, sizeof work), 0);
    return 0;
}
"""


def linker_for_aarch64():
    if shutil.which("aarch64-linux-gnu-gcc"):
        return ["aarch64-linux-gnu-gcc", "-static"]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl", "-static"]
    return None


EMULATOR = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")


@pytest.mark.skipif(EMULATOR is None, reason="runs code for aarch64: qemu-user is not installed")
@pytest.mark.skipif(linker_for_aarch64() is None, reason="nothing here links for aarch64")
@pytest.mark.parametrize("cpu", ["generic", "cortex-a72"])
def test_code_for_aarch64_computes_what_the_just_in_time_code_does(tmp_path, cpu):
    interface, problem = small_interface(), small_problem()
    code = generate_code(interface, [Target("aarch64-unknown-linux-gnu", cpu)])
    p = problem.x0
    arrays = {**bound_arrays(problem), "p": p}
    texts = [
        f"static const double {name}[] = {{{', '.join(map(repr, map(float, arrays[name])))}}};\n"
        for name in ("x", "y", "p")
    ]
    (tmp_path / "loss.o").write_bytes(code.image)
    (tmp_path / "loss.h").write_text(header(interface, "loss.sym", code.targets))
    (tmp_path / "main.c").write_text(f"#define N {len(arrays['x'])}\n{''.join(texts)}{CALLER}")
    words = [*linker_for_aarch64(), "-o", "main", "main.c", "loss.o", "-lm"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    run = subprocess.run(
        [EMULATOR, "./main"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    lines = [line.split() for line in run.stdout.splitlines()]
    assert [int(line[0]) for line in lines] == [0, 0, Status.NEGATIVE]
    curvature, grad = problem.gauss_newton(p)
    expected = [
        [problem.value(p)],
        [*curvature.ravel(), *grad],
        [],
    ]
    for line, numbers in zip(lines, expected, strict=True):
        found = np.array(line[1:], dtype=float)
        # Fused products and lanes as here; libm's pow may differ in its last bit.
        assert np.max(np.abs(found - numbers), initial=0) <= 1e-14 * np.max(
            np.abs(numbers), initial=0
        )
