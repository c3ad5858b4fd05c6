"""Elementary functions as straight-line IR, for any number of lanes and the same bits in each.

Every function is emitted inline, without fast-math flags: the order of operations is the algorithm.
Reductions of the argument follow fdlibm (Sun Microsystems, 1993) and W. J. Cody and W. Waite,
Software Manual for the Elementary Functions (1980). Errors are at most 2 ulp for exp, log, sin and
cos, 4 for the others, and 2 ulp for all of them in single precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symopt.native.formats import DOUBLE, SINGLE, TANH, Format
from symopt.native.text import FunctionText, Value

_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
# π/2 in three parts of 33 bits and a rest.
_HALF_PI = tuple(
    map(
        float.fromhex,
        (
            "0x1.921fb54400000p+0",
            "0x1.0b4611a600000p-34",
            "0x1.3198a2e000000p-69",
            "0x1.b839a252049c1p-104",
        ),
    )
)
_LARGEST_ANGLE = 1647099.0  # 2^20·π/2: up to here the multiples of the parts are exact

# (sin(x)/x - 1)/z and (cos(x) - 1 + z/2)/z² with z = x², for |x| ≤ π/4
_SIN = (
    -0.16666666666666666,
    0.008333333333330925,
    -0.00019841269836722418,
    2.755731608381636e-06,
    -2.5051127944014188e-08,
    1.5917848524808262e-10,
)
_COS = (
    0.041666666666666664,
    -0.0013888888888887382,
    2.480158729874307e-05,
    -2.7557317260008837e-07,
    2.0876143827993133e-09,
    -1.1382456778061306e-11,
)


@dataclass(frozen=True, slots=True)
class Cpu:
    """What the code may use of a processor beyond the common ground.

    `fma` is multiplication and addition with one rounding; `scalef` (AVX-512) is a product with a
    power of two in one instruction.
    """

    fma: bool = True
    scalef: bool = False


COMMON = Cpu()


@dataclass(frozen=True, slots=True)
class Maths:
    """Emits functions into one text. Without fused multiply-add, both operations round."""

    text: FunctionText
    cpu: Cpu = COMMON
    format: Format = DOUBLE

    # ── exponentials ─────────────────────────────────────────────────────────────────────────

    def exp(self, x: Value) -> Value:
        """2^n·e^r."""
        x = self._clamp(x, *self.format.exp_range)
        whole, shifted = self._rounded(x, _LOG2_E)
        return self._scaled(self._exp_near_zero(self._reduced(x, whole)), whole, shifted)

    def exp2(self, x: Value) -> Value:
        x = self._clamp(x, -1076.0, 1025.0)
        shifted = self._add(x, self._number(self.format.shift))
        whole = self._sub(shifted, self._number(self.format.shift))
        r = self._mul(self._sub(x, whole), self._number(0.6931471805599453))
        return self._scaled(self._exp_near_zero(r), whole, shifted)

    def _exp_near_zero(self, r: Value) -> Value:
        tail = self._fused(self._mul(r, r), self._polynomial(r, self.format.exp), r)
        return self._add(self._number(1.0), tail)

    def _scaled(self, value: Value, whole: Value, shifted: Value) -> Value:
        """value·2^n, rounded once; two factors make results below the normal ones right."""
        text = self.text
        if self.cpu.scalef and text.fills_register(value):
            return text.scaled_by_power(value, whole)
        first, second = self._scales(shifted)
        return self._mul(self._mul(value, first), second)

    def expm1(self, x: Value) -> Value:
        """2^n·(e^r - 1) + (2^n - 1), each part exact or small.

        Up to e^r - 1 this is `exp`, and computed once where both are asked for.
        """
        clamped = self._clamp(x, *self.format.exp_range)
        whole, shifted = self._rounded(clamped, _LOG2_E)
        r = self._reduced(clamped, whole)
        part = self._fused(self._mul(r, r), self._polynomial(r, self.format.exp), r)
        # (part·a + (a - 1/b))·b with a·b = 2^n: no overflow before the end.
        if self.cpu.scalef and self.text.fills_register(part):
            less = self._sub(whole, self._number(1.0))
            scaled = self.text.scaled_by_power(part, less)
            first = self.text.scaled_by_power(self.text.widen(self._number(1.0)), less)
            second, inverse = self._number(2.0), self._number(0.5)
        else:
            half, rest = self._halves(shifted)
            first, second = self._power(half), self._power(rest)
            inverse = self._power(self.text.operate("sub", self._bits(0), rest))
            scaled = self._mul(part, first)
        result = self._mul(self._add(scaled, self._sub(first, inverse)), second)
        # Keeps the sign of zero, and all digits of what is below the normal numbers.
        size = self.text.intrinsic("llvm.fabs", x)
        tiny = self.text.compare("fcmp olt", size, self._number(self.format.tiny))
        return self.text.select(tiny, x, result)

    def tanh(self, x: Value) -> Value:
        """-t/(t + 2) with t = expm1(-2|x|)."""
        size = self.text.intrinsic("llvm.fabs", x)
        t = self.expm1(self._mul(size, self._number(-2.0)))
        ratio = self._divide(t, self._add(t, self._number(2.0)))
        return self.text.intrinsic("llvm.copysign", ratio, x)

    def tanh_in_single(self, x: Value) -> Value:
        """1 - 2/(exp(2|x|) + 1), near 0 a polynomial: fewer roundings than `tanh` has."""
        size = self.text.intrinsic("llvm.fabs", x)
        one, two = self._number(1.0), self._number(2.0)
        power = self.exp(self._mul(size, two))
        far = self._sub(one, self._divide(two, self._add(power, one)))
        square = self._mul(size, size)
        near = self._fused(self._mul(size, square), self._polynomial(square, TANH), size)
        small = self.text.compare("fcmp olt", size, self._number(0.625))
        return self.text.intrinsic("llvm.copysign", self.text.select(small, near, far), x)

    # ── logarithms ───────────────────────────────────────────────────────────────────────────

    def log(self, x: Value) -> Value:
        exponent, f, _ = self._mantissa(x)
        return self._log_special(x, self._log_of(exponent, f, None))

    def log2(self, x: Value) -> Value:
        """log(x)/ln(2), exact at powers of two."""
        exponent, f, _ = self._mantissa(x)
        part = self._log_of(self._number(0.0), f, None)
        result = self._fused(part, self._number(_LOG2_E), exponent)
        low = self._mul(part, self._number(2.0355273740931033e-17))
        return self._log_special(x, self._add(result, low))

    def log10(self, x: Value) -> Value:
        return self._mul(self.log(x), self._number(0.4342944819032518))

    def log1p(self, x: Value) -> Value:
        """log(u) with u = 1 + x, and what the rounding of u lost."""
        text = self.text
        one = self._number(1.0)
        u = self._add(one, x)
        exponent, f, power = self._mantissa(u)
        lost_large = self._sub(one, self._sub(u, x))
        lost_small = self._sub(x, self._sub(u, one))
        large = text.compare("fcmp ogt", x, one)
        lost = text.select(large, lost_large, lost_small)
        # That over u = 2^k·(1 + f), where 1/(1 + f) is 1 - f + f² to 7 %: all that matters of it.
        lost = self._mul(lost, self._inverse_power(power))
        lost = self._mul(lost, self._fused(self._sub(f, one), f, one))
        near = text.compare("fcmp oeq", exponent, self._number(0.0))
        f = text.select(near, x, f)
        lost = text.select(near, self._number(0.0), lost)
        result = self._log_special(u, self._log_of(exponent, f, lost))
        size = text.intrinsic("llvm.fabs", x)
        tiny = text.compare("fcmp olt", size, self._number(self.format.tiny))
        return text.select(tiny, x, result)

    def _inverse_power(self, power: Value) -> Value:
        """2^-k from the bits of 2^k; 0 where that would be below the normal numbers."""
        text, form = self.text, self.format
        opposite = text.operate("sub", self._bits(2 * form.bias), power)
        opposite = text.intrinsic("llvm.smax", opposite, self._bits(0))
        bits = text.operate("shl", opposite, self._bits(form.mantissa))
        return text.convert("bitcast", bits, form.kind)

    def _mantissa(self, x: Value) -> tuple[Value, Value, Value]:
        """k, as a real number, and f with x = 2^k·(1 + f) and 1 + f in [√½, √2].

        Last, the exponent's bits, which are those of 2^k where x is no less than a normal number.
        """
        text, form = self.text, self.format
        tiny = text.compare("fcmp olt", x, self._number(form.smallest))
        more = form.mantissa + 2
        scaled = text.select(tiny, self._mul(x, self._number(2.0**more)), x)
        bias = text.select(tiny, self._number(float(more)), self._number(0.0))
        # Adding the distance from √½ to 1 moves the cut between exponents to √½.
        bits = text.convert("bitcast", scaled, form.bits)
        one = form.bias << form.mantissa
        moved = text.operate("add", bits, self._bits(one - form.root_half_bits))
        power = text.operate("ashr", moved, self._bits(form.mantissa))
        exponent = text.operate("sub", power, self._bits(form.bias))
        low = text.operate("and", moved, self._bits((1 << form.mantissa) - 1))
        mantissa = text.operate("add", low, self._bits(form.root_half_bits))
        f = self._sub(text.convert("bitcast", mantissa, form.kind), self._number(1.0))
        return self._sub(text.converted(exponent, form.kind), bias), f, power

    def _log_of(self, exponent: Value, f: Value, lost: Value | None) -> Value:
        """k·ln(2) + log(1 + f) + lost = k·hi - ((f²/2 - (s·(f²/2 + R) + k·lo + lost)) - f)."""
        s = self._divide(f, self._add(f, self._number(2.0)))
        z = self._mul(s, s)
        rest = self._mul(z, self._polynomial(z, self.format.log))
        half = self._mul(self._mul(f, self._number(0.5)), f)
        ln2_high, ln2_low = self.format.ln2
        small = self._mul(exponent, self._number(ln2_low))
        small = small if lost is None else self._add(small, lost)
        inner = self._fused(s, self._add(half, rest), small)
        high = self._mul(exponent, self._number(ln2_high))
        return self._sub(high, self._sub(self._sub(half, inner), f))

    def _log_special(self, x: Value, result: Value) -> Value:
        text = self.text
        infinity, nan = float("inf"), float("nan")
        top = text.compare("fcmp ueq", x, self._number(infinity))  # inf, or nan: itself
        result = text.select(top, x, result)
        negative = text.compare("fcmp olt", x, self._number(0.0))
        result = text.select(negative, self._number(nan), result)
        zero = text.compare("fcmp oeq", x, self._number(0.0))
        return text.select(zero, self._number(-infinity), result)

    # ── sine and cosine ──────────────────────────────────────────────────────────────────────

    def sin(self, x: Value) -> Value:
        return self._circular(x, 0, "sin")

    def cos(self, x: Value) -> Value:
        return self._circular(x, 1, "cos")

    def _circular(self, x: Value, quarter: int, slow: str) -> Value:
        """By the quarter turn: ±sin or ±cos of the rest; beyond 2^20 turns by the C library."""
        text = self.text
        shift = self._number(self.format.shift)
        shifted = self._add(self._mul(x, self._number(_TWO_OVER_PI)), shift)
        n = self._sub(shifted, shift)
        high, low = self._turned(x, n)
        sine, cosine = self._kernels(high, low)
        turns = text.convert("bitcast", shifted, "i64")
        turns = text.operate("add", turns, text.integer(quarter)) if quarter else turns
        odd = text.compare("icmp ne", text.operate("and", turns, text.integer(1)), text.integer(0))
        chosen = text.select(odd, cosine, sine)
        sign = text.operate("shl", text.operate("and", turns, text.integer(2)), text.integer(62))
        flipped = text.operate("xor", text.convert("bitcast", chosen, "i64"), sign)
        result = text.convert("bitcast", flipped, "double")
        if slow == "sin":
            zero = text.compare("fcmp oeq", x, self._number(0.0))
            result = text.select(zero, x, result)
        size = text.intrinsic("llvm.fabs", x)
        large = text.compare("fcmp uge", size, self._number(_LARGEST_ANGLE))
        return text.rarely(large, result, lambda: text.library_call(slow, x))

    def _turned(self, x: Value, n: Value) -> tuple[Value, Value]:
        """x - n·π/2 as a sum of two doubles."""
        p1, p2, p3, p4 = _HALF_PI
        first = self._sub(x, self._mul(n, self._number(p1)))
        second, lost2 = self._difference(first, self._mul(n, self._number(p2)))
        third, lost3 = self._difference(second, self._mul(n, self._number(p3)))
        tail = self._sub(self._add(lost2, lost3), self._mul(n, self._number(p4)))
        high = self._add(third, tail)
        return high, self._add(self._sub(third, high), tail)

    def _difference(self, a: Value, b: Value) -> tuple[Value, Value]:
        """a - b and its rounding error, whichever is larger (D. E. Knuth)."""
        total = self._sub(a, b)
        part = self._sub(total, a)
        lost = self._sub(self._sub(a, self._sub(total, part)), self._add(b, part))
        return total, lost

    def _kernels(self, x: Value, low: Value) -> tuple[Value, Value]:
        """sin and cos of x + low for |x| ≤ π/4."""
        z = self._mul(x, x)
        cube = self._mul(z, x)
        half_low = self._mul(low, self._number(0.5))
        higher = self._polynomial(z, _SIN[1:])
        inner = self._sub(self._mul(z, self._sub(half_low, self._mul(cube, higher))), low)
        sine = self._sub(x, self._sub(inner, self._mul(cube, self._number(_SIN[0]))))
        half = self._mul(z, self._number(0.5))
        w = self._sub(self._number(1.0), half)
        lost = self._sub(self._sub(self._number(1.0), w), half)
        fourth = self._mul(self._mul(z, z), self._polynomial(z, _COS))
        cosine = self._add(w, self._add(lost, self._sub(fourth, self._mul(x, low))))
        return sine, cosine

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _rounded(self, x: Value, factor: float) -> tuple[Value, Value]:
        """x·factor rounded to an integer; also with the integer in the low bits."""
        shift = self._number(self.format.shift)
        shifted = self._fused(x, self._number(factor), shift)
        return self._sub(shifted, shift), shifted

    def _reduced(self, x: Value, whole: Value) -> Value:
        """x - whole·ln(2)."""
        high, low = self.format.ln2
        return self._fused(whole, self._number(-low), self._fused(whole, self._number(-high), x))

    def _scales(self, shifted: Value) -> tuple[Value, Value]:
        """Two powers of two whose product is 2^n, n from the low bits."""
        half, rest = self._halves(shifted)
        return self._power(half), self._power(rest)

    def _halves(self, shifted: Value) -> tuple[Value, Value]:
        """n from the low bits, as the sum of two numbers of half its size."""
        text = self.text
        bits = text.convert("bitcast", shifted, self.format.bits)
        n = text.operate("sub", bits, self._bits(self.format.shift_bits))
        half = text.operate("ashr", n, self._bits(1))
        return half, text.operate("sub", n, half)

    def _power(self, n: Value) -> Value:
        text, form = self.text, self.format
        biased = text.operate("add", n, self._bits(form.bias))
        return text.convert(
            "bitcast", text.operate("shl", biased, self._bits(form.mantissa)), form.kind
        )

    def _bits(self, value: int) -> Value:
        return Value(str(value), self.format.bits)

    def _polynomial(self, x: Value, coefficients: tuple[float, ...]) -> Value:
        """Estrin's scheme: pairs, then pairs of pairs, so that the chain is short."""
        terms: list[Value] = [self._number(c) for c in coefficients]
        power = x
        while len(terms) > 1:
            pairs = [
                self._fused(power, terms[k + 1], terms[k]) if k + 1 < len(terms) else terms[k]
                for k in range(0, len(terms), 2)
            ]
            terms, power = pairs, self._mul(power, power)
        return terms[0]

    def _clamp(self, x: Value, low: float, high: float) -> Value:
        """x moved into [low, high]; nan stays."""
        text = self.text
        below = text.compare("fcmp olt", x, self._number(low))
        x = text.select(below, self._number(low), x)
        above = text.compare("fcmp ogt", x, self._number(high))
        return text.select(above, self._number(high), x)

    def _number(self, value: float) -> Value:
        return self.text.number(value)

    def _add(self, a: Value, b: Value) -> Value:
        return self.text.operate("fadd", a, b)

    def _sub(self, a: Value, b: Value) -> Value:
        return self.text.operate("fsub", a, b)

    def _mul(self, a: Value, b: Value) -> Value:
        return self.text.operate("fmul", a, b)

    def _divide(self, a: Value, b: Value) -> Value:
        return self.text.operate("fdiv", a, b)

    def _fused(self, a: Value, b: Value, c: Value) -> Value:
        """a·b + c, rounded once where the target can."""
        if self.cpu.fma:
            return self.text.intrinsic("llvm.fma", a, b, c)
        return self._add(self._mul(a, b), c)


# By the names that records use in their lowerings.
FUNCTIONS: dict[str, Callable[[Maths, Value], Value]] = {
    "llvm.exp": Maths.exp,
    "llvm.exp2": Maths.exp2,
    "expm1": Maths.expm1,
    "llvm.tanh": Maths.tanh,
    "llvm.log": Maths.log,
    "llvm.log2": Maths.log2,
    "llvm.log10": Maths.log10,
    "log1p": Maths.log1p,
    "llvm.sin": Maths.sin,
    "llvm.cos": Maths.cos,
}
# Those that have code of their own in single precision.
IN_SINGLE: dict[str, Callable[[Maths, Value], Value]] = {
    "llvm.exp": Maths.exp,
    "expm1": Maths.expm1,
    "llvm.tanh": Maths.tanh_in_single,
    "llvm.log": Maths.log,
    "log1p": Maths.log1p,
}


def elementary(name: str, text: FunctionText, cpu: Cpu, x: Value) -> Value:
    """A function, by the name that records have for it, in the precision of its argument."""
    if x.kind == "double":
        return FUNCTIONS[name](Maths(text, cpu), x)
    if name in IN_SINGLE:
        return IN_SINGLE[name](Maths(text, cpu, SINGLE), x)
    with text.in_double():
        found = FUNCTIONS[name](Maths(text, cpu), text.as_real(x))
    return text.as_real(found)
