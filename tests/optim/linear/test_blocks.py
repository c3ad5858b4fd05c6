"""Which unknowns are eliminated, from the pattern of a matrix alone."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from symopt.optim.linear.blocks import diagonal_blocks, find_elimination
from tests.optim.linear.coupled import pictures


def matrix_of(*cliques, size):
    """A matrix with an entry for any two unknowns that are in a clique together."""
    pattern = np.eye(size)
    for clique in cliques:
        pattern[np.ix_(clique, clique)] = 1
    return scipy.sparse.csr_array(pattern)


def test_points_are_eliminated_with_all_that_is_theirs(rng):
    case = pictures(rng, cameras=5, points=40)
    found = find_elimination(case.matrix, case.names)
    assert found.arrays == ("point", "brightness")
    (group,) = found.groups
    assert group.size == 4
    owners = {tuple(case.names[entry] for entry in block) for block in group.unknowns}
    assert owners == {
        (f"point[{p}, 0]", f"point[{p}, 1]", f"point[{p}, 2]", f"brightness[{p}]")
        for p in range(40)
    }
    assert found.summary == (
        "block elimination of point, brightness (40 blocks of 4), reduced system 26"
    )


def test_every_entry_has_its_place(rng):
    """The parts put together again are the matrix, in another order."""
    case = pictures(rng, cameras=4, points=300, seen=2)
    found = find_elimination(case.matrix, case.names)
    values, whole = case.matrix.data, case.matrix.toarray()
    kept = found.reduced
    corner = found.corner.put(values, (len(kept), len(kept)))
    np.testing.assert_array_equal(corner, whole[np.ix_(kept, kept)])
    rebuilt = np.zeros((len(whole), len(kept)))
    (group,) = found.groups
    assert len(group.panels) > 1
    for panel in group.panels:
        unknowns = group.unknowns[panel.first : panel.last]
        rows = panel.entries.put(values, (unknowns.size, len(panel.columns)))
        rebuilt[np.ix_(unknowns.ravel(), panel.columns)] = rows
    out = group.unknowns.ravel()
    np.testing.assert_array_equal(rebuilt[out], whole[np.ix_(out, kept)])
    blocks = group.entries.put(values, (300, 4, 4))
    wanted = whole[group.unknowns[:, :, None], group.unknowns[:, None, :]]
    np.testing.assert_array_equal(blocks, wanted)


def test_the_largest_array_of_small_blocks_is_taken():
    """Groups a and b are block diagonal each, but not together; a is larger."""
    names = ("b[0]", "b[1]", "a[0]", "a[1]", "a[2]", "s")
    matrix = matrix_of([0, 2, 5], [0, 3, 5], [1, 4, 5], [1, 2], [0, 4], size=6)
    found = find_elimination(matrix, names)
    # b[0] and b[1] hang together through a[2], in one block that is small: both are taken.
    assert found.arrays == ("b", "a")
    many = 100
    chain = [[0, 1 + i] for i in range(many)] + [[many + 1 + i, 1 + i] for i in range(many)]
    names = ("s", *(f"a[{i}]" for i in range(many)), *(f"b[{i}]" for i in range(many)))
    found = find_elimination(matrix_of(*chain, size=2 * many + 1), names)
    assert found.arrays == ("a", "b")
    assert [group.size for group in found.groups] == [2]
    assert found.reduced.tolist() == [0]


def test_blocks_of_several_sizes():
    matrix = matrix_of([0, 1, 5], [2, 5], [3, 4, 5], size=6)
    found = find_elimination(matrix, [*(f"x[{i}]" for i in range(5)), "s"])
    assert [group.size for group in found.groups] == [1, 2]
    assert "3 blocks of 1 to 2" in found.summary
    assert found.coupled == 1


def test_what_hangs_together_is_not_eliminated():
    """A chain, and a full matrix."""
    names = [f"x[{i}]" for i in range(60)]
    chain = matrix_of(*([i, i + 1] for i in range(59)), size=60)
    assert find_elimination(chain, names) is None
    assert find_elimination(matrix_of(range(60), size=60), names) is None


def test_how_many_entries_the_reduced_matrix_has(rng):
    case = pictures(rng, cameras=12, points=10, seen=2)
    found = find_elimination(case.matrix, case.names)
    whole = case.matrix.toarray() != 0
    out = np.concatenate([group.unknowns.ravel() for group in found.groups])
    full = whole[np.ix_(found.reduced, found.reduced)].astype(int)
    for group in found.groups:
        for block in group.unknowns:
            met = whole[np.ix_(block, found.reduced)].any(axis=0)
            full += np.outer(met, met)
    assert found.coupled == np.count_nonzero(full)
    assert len(out) + len(found.reduced) == len(case.names)


def test_diagonal_blocks_are_by_array(rng):
    case = pictures(rng, cameras=5, points=10)
    labels = diagonal_blocks(case.matrix, case.names)
    assert len(set(labels[:4])) == 1  # camera[0]
    assert len(set(labels)) == 5 + 5 + 1 + 10 + 10
    full = matrix_of(range(60), size=60)
    assert len(set(diagonal_blocks(full, [f"x[{i}]" for i in range(60)]))) == 60
