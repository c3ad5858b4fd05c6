"""What real numbers are: those of arrays that are given and computed."""

from __future__ import annotations

from typing import Literal, get_args

Precision = Literal["float64", "float32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
