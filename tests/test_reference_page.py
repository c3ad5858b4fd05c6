"""The page of functions is what the records say, and lists every function of the language."""

import re

import pytest

from symopt.primitives.record import Elementwise
from symopt.primitives.registry import PRIMITIVES
from symopt.typed.calls import FUNCTION_NAMES
from tests.support import methods_page
from tests.support.reference_page import PAGE, page


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_page_of_methods_is_up_to_date() -> None:
    written = methods_page.PAGE.read_text(encoding="utf-8")
    assert written == methods_page.page(), "run `make docs`"


def test_every_function_is_listed() -> None:
    listed = set(re.findall(r"^\| `(\w+)", page(), re.MULTILINE))
    assert listed == FUNCTION_NAMES - {"normal", "uniform"}


@pytest.mark.parametrize("record", [r for r in PRIMITIVES.values() if r.public])
def test_functions_that_are_not_smooth_say_where(record: Elementwise) -> None:
    assert record.analytic or record.kink
