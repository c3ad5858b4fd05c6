"""`symopt methods`: the table of optimizers."""

from __future__ import annotations

import symopt


def test_every_method_has_a_row(run):
    result = run("methods")
    assert result.exit_code == 0
    first_words = [line.split()[0] for line in result.stdout.splitlines() if line.strip()]
    assert first_words[0] == "name"
    assert first_words[2:] == [method.name for method in symopt.methods()]
