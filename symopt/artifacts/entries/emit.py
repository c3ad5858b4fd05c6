"""The entries from C: IR functions that check what they are given and run kernels on it.

They know sizes, addresses and room, and nothing of what a kernel computes: kernels are those that
the just-in-time compiler makes. All here is code for the plainest processor of its kind; which
variant of a kernel runs is decided at the first call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template

from symopt.artifacts.entries.body import Body
from symopt.artifacts.entries.running import (
    Running,
    Variant,
    is_scratch,
    kernel_symbol,
    real_text,
)
from symopt.artifacts.entries.status import MESSAGES, Status
from symopt.artifacts.interface import Entry, Interface, Shape, check_name
from symopt.loops.program import Kernel, Storage
from symopt.native.entry import array_functions
from symopt.native.text import Value

_OF_MISTAKE = {
    "index": Status.INDEX,
    "order": Status.ORDER,
    "divisor": Status.DIVISOR,
    "cases": Status.CASES,
}
_OF_SUPPORT = {
    f"@llvm.{name}.i64": f"declare i64 @llvm.{name}.i64(i64, i64)" for name in ("smax", "smin")
}


def _bits(*numbers: int) -> int:
    """A word with some of its bits on, as LLVM reads words: with a sign."""
    word = sum(1 << number for number in numbers)
    return word - (1 << 32) if word >= 1 << 31 else word


# Bits of CPUID that the levels of x86-64 ask for; `levels.ll` names the features.
_LEVEL_BITS = {
    "level2_c": _bits(0, 9, 13, 19, 20, 23),
    "level3_c": _bits(12, 22, 27, 28, 29),
    "level3_b": _bits(3, 5, 8),
    "level4_b": _bits(16, 17, 28, 30, 31),
}


def emit_entries(interface: Interface, variants: tuple[Variant, ...], *, exported: str = "") -> str:
    """The IR of all entries. `variants` come from the plainest to the best processor.

    `exported` is how a function is marked to be found by others, where it has to be.
    """
    return _Module(interface, variants, exported).written()


@dataclass(slots=True)
class _Module:
    interface: Interface
    variants: tuple[Variant, ...]
    exported: str
    declarations: dict[str, str] = field(default_factory=lambda: dict(_OF_SUPPORT))

    def written(self) -> str:
        interface = self.interface
        params = [param.stored_shape for param in interface.program.params.values()]
        functions = [self._sizes(), self._data(), self._count("n", params)]
        if interface.cut:
            functions.append(self._count("m", [*interface.cut.values()]))
        functions += [self._message(), self._build(), self._check()]
        for entry in interface.entries:
            functions += [self._workspace(entry), self._entry(entry)]
        return "\n\n".join([*self._shared(), *self.declarations.values(), *functions])

    def _shared(self) -> Iterator[str]:
        single = self.interface.precision == "float32"
        yield array_functions(single=single)
        yield _template("support.ll", real="float" if single else "double")
        if self.variants[-1].level > 1:
            yield _template("levels.ll", **_LEVEL_BITS)
        for name in self.interface.kernels:
            for variant in self.variants:
                yield f"declare void @{kernel_symbol(self.interface, name, variant)}(ptr)"
        for number, one in enumerate(self.interface.fields):
            if one.default is not None:
                constant = real_text(one.default, single=single)
                yield f"@default{number} = internal constant {constant}"

    def _body(
        self, name: str, parameters: str, result: str, prefix: str = "internal ", words: str = ""
    ) -> Body:
        head = f"define {prefix}{result} @{name}({parameters}) nounwind{words}"
        body = Body(head, self.interface.sizes, self.interface.open_dims)
        body.text.declarations = self.declarations
        return body

    def _exported(self, name: str, parameters: str, result: str, *, often: bool = False) -> Body:
        """A function for callers. Little effort goes into one that is not called `often`."""
        words = "" if often else " noinline optnone"
        return self._body(f"{self.interface.stem}_{name}", parameters, result, self.exported, words)

    def _running(self, body: Body) -> Running:
        return Running(self.interface, self.variants, body)

    # ── what entries share ───────────────────────────────────────────────────────────────────

    def _sizes(self) -> str:
        """`sizes(data)`: whether the sizes can be."""
        body = self._body("sizes", "ptr %data", "i32")
        body.fail_if(body.is_null("%data"), Status.NULL)
        for value in body.load_dims():
            negative = body.text.compare("icmp slt", value, body.text.integer(0))
            body.fail_if(negative, Status.NEGATIVE)
        shapes = [one.shape for one in self.interface.fields]
        shapes += [param.stored_shape for param in self.interface.program.params.values()]
        body.fail_if(body.too_large(shapes), Status.TOO_LARGE)
        return body.finished("i32 0")

    def _data(self) -> str:
        """`data(data, slots, lenient)`: where all data is, once it has passed the checks.

        Where that is `lenient`, null may stand for data that is still to come.
        """
        interface = self.interface
        body = self._body("data", "ptr %data, ptr %slots, i1 %lenient", "i32")
        body.pass_on("call i32 @sizes(ptr %data)")
        body.load_dims()
        strict = body.text.assign("xor i1 %lenient, true", "i1", False)
        for number, one in enumerate(interface.fields):
            given = body.pointer("%data", len(interface.open_dims) + number)
            if one.default is not None:
                given = body.chosen(body.is_null(given), f"@default{number}", given)
            else:
                missing = body.is_missing(given, one.shape)
                body.fail_if(body.text.operate("and", missing, strict), Status.NULL)
            body.put(given, "%slots", number)
        checked = body.word("%data", len(interface.open_dims) + len(interface.fields))
        trusted = body.text.compare("icmp ne", checked, body.text.integer(0))
        body.leave_if(trusted, "i32 0")
        body.leave_if(Value("%lenient", "i1"), "i32 0")
        for number, kernel in enumerate(interface.checks):
            self._run_checks(body, "%slots", check_name(number), kernel)
        return body.finished("i32 0")

    def _run_checks(self, body: Body, slots: str, name: str, kernel: Kernel) -> None:
        """Run a kernel that counts mistakes; leave with the first kind that there is."""
        counts = {mistake: body.words(1) for mistake in kernel.outputs}
        addresses: list[str] = []
        for argument in kernel.arguments:
            assert kernel.buffers[argument].storage in (Storage.GIVEN, Storage.OUTPUT)
            if argument in counts:
                addresses.append(counts[argument])
            else:
                addresses.append(body.pointer(slots, self._field(argument)))
        self._running(body).call(name, kernel, addresses)
        for mistake, count in counts.items():
            found = body.text.load(count, "double", False)
            some = body.text.compare("fcmp une", found, body.text.number(0.0))
            body.fail_if(some, _OF_MISTAKE[mistake])

    def _count(self, name: str, shapes: list[Shape]) -> str:
        """`loss_n(data)`: a number of elements, or minus a status."""
        body = self._exported(name, "ptr %data", "i64")
        body.pass_on("call i32 @sizes(ptr %data)", negated=True)
        body.load_dims()
        body.fail_if(body.too_large(shapes), Status.TOO_LARGE, negated=True)
        return body.finished(f"i64 {body.total(shapes).text}")

    def _message(self) -> str:
        """`loss_message(status)`: a status in words."""
        texts = [*MESSAGES.values(), "an unknown status"]
        lines = [
            f'@message{number} = private constant [{len(message) + 1} x i8] c"{message}\\00"'
            for number, message in enumerate(texts)
        ]
        body = self._exported("message", "i32 %status", "ptr")
        found = f"@message{len(MESSAGES)}"
        # Sizes that cannot be are said by minus a status.
        minus = body.text.operate("sub", Value("0", "i32"), Value("%status", "i32"))
        number = body.text.intrinsic("llvm.smax", Value("%status", "i32"), minus)
        for status in MESSAGES:
            here = body.text.compare("icmp eq", number, Value(str(int(status)), "i32"))
            found = body.chosen(here, f"@message{int(status)}", found)
        return "\n".join([*lines, body.finished(f"ptr {found}")])

    def _build(self) -> str:
        """`loss_build()`: which interface this is."""
        text = self.interface.fingerprint
        constant = f'@build.text = private constant [{len(text) + 1} x i8] c"{text}\\00"'
        body = self._exported("build", "", "ptr")
        return f"{constant}\n{body.finished('ptr @build.text')}"

    def _check(self) -> str:
        """`loss_check(data)`: all that is asked of data, whatever it says of itself."""
        interface = self.interface
        body = self._exported("check", "ptr %data", "i32")
        body.pass_on("call i32 @sizes(ptr %data)")
        claim = len(interface.open_dims) + len(interface.fields)
        copy = body.words(claim + 2)
        for number in range(claim):
            body.text.store(body.word("%data", number), body.slot(copy, number))
        for number in (claim, claim + 1):
            body.text.store(body.text.integer(0), body.slot(copy, number))
        slots = body.words(len(interface.fields))
        body.pass_on(f"call i32 @data(ptr {copy}, ptr {slots}, i1 false)")
        return body.finished("i32 0")

    # ── entries ──────────────────────────────────────────────────────────────────────────────

    def _workspace(self, entry: Entry) -> str:
        """How many bytes an entry needs, or minus a status."""
        body = self._exported(f"{entry.name}_workspace", "ptr %data", "i64")
        body.pass_on("call i32 @sizes(ptr %data)", negated=True)
        body.load_dims()
        body.fail_if(self._too_large(body, entry), Status.TOO_LARGE, negated=True)
        return body.finished(f"i64 {self._running(body).room(entry).total.text}")

    def _too_large(self, body: Body, entry: Entry) -> Value:
        arrays = (*entry.inputs, *entry.outputs)
        shapes = [part.shape for one in arrays for part in one.parts]
        copies = 1
        if entry.kernel is not None:
            scratch = [b for b in entry.kernel.buffers.values() if b.passed and is_scratch(b)]
            shapes += [buffer.shape for buffer in scratch]
            copies = max((entry.kernel.copies(b.name) for b in scratch), default=1)
        return body.too_large(shapes, copies)

    def _entry(self, entry: Entry) -> str:
        arrays = (*entry.inputs, *entry.outputs)
        pointers = (f"ptr %{one.name}" for one in arrays)
        parameters = ", ".join(["ptr %data", *pointers, "ptr %work", "i64 %work_size"])
        body = self._exported(entry.name, parameters, "i32", often=entry.kind == "loss")
        slots = body.words(len(self.interface.fields))
        lenient = "true" if entry.lenient else "false"
        body.pass_on(f"call i32 @data(ptr %data, ptr {slots}, i1 {lenient})")
        body.load_dims()
        body.fail_if(self._too_large(body, entry), Status.TOO_LARGE)
        for one in arrays:
            shapes = (part.shape for part in one.parts)
            body.fail_if(body.is_missing(f"%{one.name}", *shapes), Status.NULL)
        self._check_first(body, entry, slots)
        self._refuse_overlaps(body, entry, slots)
        self._running(body).compute(entry, slots)
        self._refuse_nonfinite(body, entry)
        return body.finished("i32 0")

    def _check_first(self, body: Body, entry: Entry, slots: str) -> None:
        """The checks of an entry that runs before those of all data can."""
        needed = {name for kernel in entry.checks for name in kernel.arguments}
        for number, one in enumerate(self.interface.fields):
            if one.name in needed:
                missing = body.is_missing(body.pointer(slots, number), one.shape)
                body.fail_if(missing, Status.NULL)
        for number, kernel in enumerate(entry.checks):
            self._run_checks(body, slots, check_name(number, entry.name), kernel)

    def _field(self, name: str) -> int:
        names = [one.name for one in self.interface.fields]
        return names.index(name)

    def _refuse_overlaps(self, body: Body, entry: Entry, slots: str) -> None:
        """What is written, results and workspace, is apart from everything else."""
        running = self._running(body)
        written = [("%work", Value("%work_size", "i64"))]
        written += [(f"%{one.name}", running.bytes_of(one)) for one in entry.outputs]
        ranges = [*written, *((f"%{one.name}", running.bytes_of(one)) for one in entry.inputs)]
        for number, one in enumerate(self.interface.fields):
            width = 8 if one.integers else running.width
            where = body.pointer(slots, number)
            ranges.append((where, body.times(body.extent(one.shape), width)))
        found = Value("false", "i1")
        for number, (a, a_bytes) in enumerate(written):
            for b, b_bytes in ranges[number + 1 :]:
                call = f"call i1 @overlap(ptr {a}, i64 {a_bytes.text}, ptr {b}, i64 {b_bytes.text})"
                found = body.text.operate("or", found, body.text.assign(call, "i1", False))
        body.fail_if(found, Status.OVERLAP)

    def _refuse_nonfinite(self, body: Body, entry: Entry) -> None:
        """Where the caller asks: after all, results of a loss are numbers."""
        if entry.kind != "loss":
            return
        interface = self.interface
        asked = body.word("%data", len(interface.open_dims) + len(interface.fields) + 1)
        body.leave_if(body.text.compare("icmp eq", asked, body.text.integer(0)), "i32 0")
        for one in entry.outputs:
            if one.number:
                value = body.text.load(f"%{one.name}", "double", False)
                nothing = body.text.operate("fsub", value, value)
                bad = body.text.compare("fcmp une", nothing, body.text.number(0.0))
            else:
                count = self._running(body).size(one).text
                call = f"call i1 @finite(ptr %{one.name}, i64 {count})"
                good = body.text.assign(call, "i1", False, pure=False)
                bad = body.text.assign(f"xor i1 {good.text}, true", "i1", False)
            body.fail_if(bad, Status.NONFINITE)


def _template(name: str, **places: object) -> str:
    text = files("symopt.artifacts.entries").joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute(places)
