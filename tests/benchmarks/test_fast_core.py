"""Four losses against plain C and other tools; writes docs/benchmarks/fast-core.md and drawings.

Only agreement is asserted: times are of the machine, and the summary says which goals are met.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.benchmarks.fast_core import compiling, page, plain_c
from tests.benchmarks.fast_core.calls import measure_calls
from tests.benchmarks.fast_core.compiling import Compilation
from tests.benchmarks.fast_core.measure import PEERS, Outcome, measure, missing
from tests.benchmarks.fast_core.report import as_text, summary
from tests.benchmarks.fast_core.rounds import one_core
from tests.benchmarks.fast_core.work import KEYS, WORKS, Work

pytestmark = [
    pytest.mark.skipif(not shutil.which(plain_c.COMPILER), reason="there is no C compiler"),
    pytest.mark.filterwarnings("default"),  # the peers' warnings are not ours
]
# Sums of a million products, added in another order, differ by some 1e-13 of their size.
TOLERANCE = 1e-12
SECONDS = 2.0

outcomes: list[Outcome] = []
compilations: list[Compilation] = []


@pytest.fixture(scope="module", autouse=True)
def core() -> Iterator[None]:
    with one_core():
        yield


@pytest.fixture(scope="module")
def absent(core: None) -> dict[str, str]:
    return missing(PEERS)


@pytest.fixture(scope="module")
def peers(absent: dict[str, str]) -> list[str]:
    return [name for name in PEERS if name not in absent]


def _agrees(outcome: Outcome) -> None:
    outcomes.append(outcome)
    print(f"\n{as_text(outcome)}")
    assert {row.name: row.error for row in outcome.rows if not row.error <= TOLERANCE} == {}


@pytest.mark.parametrize("work", WORKS, ids=lambda work: f"{work.key}-{work.n}")
def test_work(work: Work, peers: list[str]) -> None:
    _agrees(measure(work, peers, SECONDS))


def test_calls(peers: list[str]) -> None:
    for outcome in measure_calls(peers, SECONDS):
        _agrees(outcome)


@pytest.mark.parametrize("key", KEYS)
def test_compiling(key: str) -> None:
    compilations.append(compiling.measure_compilation(key))
    print(f"\n{compiling.verdict(compilations[-1])}")


@pytest.mark.parametrize("key", KEYS)
def test_drawing(key: str, peers: list[str]) -> None:
    pytest.importorskip("matplotlib", reason="the drawings need the extra `plot`")
    from tests.benchmarks.fast_core.plot import curves, draw

    page.DIRECTORY.mkdir(parents=True, exist_ok=True)
    found = curves(key, peers)
    assert "symopt" in found
    print(f"\ndrew {draw(key, found, page.DIRECTORY)}")


def test_write_the_page(absent: dict[str, str]) -> None:
    if not outcomes:
        pytest.skip("nothing was measured")
    for peer, package in absent.items():
        print(f"\n{peer} is left out: {package} is not installed", end="")
    print(f"\n{summary(outcomes)}")
    assert page.write(outcomes, compilations, absent).exists()
