"""Programs as LaTeX: names, rows, descriptions."""

from __future__ import annotations

import pytest
import sympy

import symopt
from symopt.derive.latex import expression_latex, name_latex, text_latex


@pytest.mark.parametrize(
    "name, expected",
    [
        ("b", "b"),
        ("b1", "b_{1}"),
        ("b_1", "b_{1}"),
        ("sigma", r"\sigma"),
        ("sigma2", r"\sigma_{2}"),
        ("σ", r"\sigma"),
        ("λ", r"\lambda"),
        ("Ω", r"\Omega"),
        ("w_out", r"w_{\mathrm{out}}"),
        ("ridge", r"\mathrm{ridge}"),
        ("noise_level", r"\mathrm{noise\_level}"),
        ("_x", r"\mathrm{\_x}"),
    ],
)
def test_names(name, expected):
    assert name_latex(name) == expected


def test_text_is_escaped():
    assert text_latex("50% of a_b & #1 {x}") == r"50\% of a\_b \& \#1 \{x\}"


def test_indexed_names():
    k = sympy.Symbol("k", integer=True)
    assert expression_latex(sympy.IndexedBase("rate", real=True)[k]) == r"{\mathrm{rate}}_{k}"


def test_a_program():
    model = symopt.parse(
        'data x[n] "time [s]", y[n]\n'
        'param b1 init 1 "height_0", sigma init 1\n'
        "model f[i] = b1 * exp(-sigma * x[i])\n"
        "minimize sum((y[i] - f[i])^2 for i)\n"
    )
    assert model.latex().splitlines() == [
        r"\begin{align*}",
        r"{f}_{i} &= b_{1} e^{- \sigma {x}_{i}},\quad i = 0, \ldots, n - 1 \\",
        r"\min_{b_{1},\, \sigma}\quad & \sum_{i=0}^{n - 1} \left(- {f}_{i} + {y}_{i}\right)^{2} \\",
        r"{x}_{i} &:\ \text{time [s]} \\",
        r"b_{1} &:\ \text{height\_0}",
        r"\end{align*}",
    ]


def test_extrema_have_a_form():
    shown = symopt.parse("param a[n] init 1\nmaximize min(a[i] for i)").latex()
    assert r"\max_{a}\quad & \min_{0 \leq i \leq n - 1} {a}_{i}" in shown
