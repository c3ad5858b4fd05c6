"""What elementary functions need to know of double and single precision: bits and polynomials.

Polynomials are Chebyshev fits of our own, to a small part of a unit in the last place.
"""

from __future__ import annotations

from dataclasses import dataclass

from symopt.native.text import Kind


@dataclass(frozen=True, slots=True)
class Format:
    """A format of floating-point numbers.

    `shift` is 1.5·2^mantissa: adding it rounds to an integer, kept in the low bits. `ln2` is in two
    parts, the multiples of the first by exponents exact. `exp_range` is where exp is neither 0 nor
    infinite, and a little more.
    """

    kind: Kind
    bits: Kind  # an integer of the same size
    mantissa: int  # bits of it that are stored
    bias: int
    shift: float
    shift_bits: int
    root_half_bits: int
    smallest: float  # normal number
    ln2: tuple[float, float]
    exp_range: tuple[float, float]
    tiny: float  # below which log(1 + x) is x
    exp: tuple[float, ...]  # (exp(r) - 1 - r)/r² on |r| ≤ ln(2)/2
    log: tuple[float, ...]  # 2(atanh(s)/s - 1)/z, z = s², s = f/(2 + f), 1 + f in [√½, √2]


DOUBLE = Format(
    kind="double",
    bits="i64",
    mantissa=52,
    bias=1023,
    shift=6755399441055744.0,
    shift_bits=0x4338000000000000,
    root_half_bits=0x3FE6A09E667F3BCD,
    smallest=2.0**-1022,
    ln2=(float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33")),
    exp_range=(-746.0, 710.0),
    tiny=1e-290,
    exp=(
        0.5000000000000001,
        0.16666666666666669,
        0.04166666666662399,
        0.008333333333330051,
        0.0013888888917281794,
        0.00019841269863105968,
        2.480152119021773e-05,
        2.7557268378684192e-06,
        2.7620138719733994e-07,
        2.5100424157005067e-08,
    ),
    log=(
        0.666666666666667,
        0.3999999999989889,
        0.28571428626253836,
        0.22222211089379496,
        0.1818289243253687,
        0.15331611722055008,
        0.14617807153417325,
    ),
)

SINGLE = Format(
    kind="float",
    bits="i32",
    mantissa=23,
    bias=127,
    shift=12582912.0,
    shift_bits=0x4B400000,
    root_half_bits=0x3F3504F3,
    smallest=2.0**-126,
    ln2=(float.fromhex("0x1.62e400p-1"), float.fromhex("0x1.7f7d1cp-20")),
    exp_range=(-105.0, 90.0),
    tiny=1e-30,
    exp=(
        0.5,
        0.1666666716337204,
        0.04166645556688309,
        0.00833331048488617,
        0.0013934541493654251,
        0.00019891980628017336,
    ),
    log=(0.6666668653488159, 0.3998878002166748, 0.29579949378967285),
)

# (tanh(x)/x - 1)/z with z = x², for |x| ≤ 5/8, in single precision
TANH = (
    -0.3333333432674408,
    0.13333304226398468,
    -0.053959257900714874,
    0.02176891826093197,
    -0.008343945257365704,
    0.002292744815349579,
)
