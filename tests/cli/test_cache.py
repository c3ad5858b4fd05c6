"""`symopt cache`: what it says, and what it removes."""

from __future__ import annotations

import json
import os
import sys

import pytest

from symopt.native import cache
from symopt.native.cache import LIMIT, keep_object, object_key

KEYS = [object_key(name) for name in ("one", "two", "three")]


@pytest.fixture
def place(folder, monkeypatch):
    """The folder of a cache that is on, with nothing in it."""
    monkeypatch.delenv("SYMOPT_CACHE")
    monkeypatch.setenv("SYMOPT_CACHE_DIR", str(folder / "kept"))
    return folder / "kept"


@pytest.mark.parametrize("arguments", [(), ("info",)])
def test_what_there_is(run, place, arguments):
    for key in KEYS:
        keep_object(key, bytes(200_000))
    result = run("cache", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"folder   {place}",
        "used     yes",
        "entries  3",
        "size     0.6 MB of at most 256.0 MB",
    ]


def test_nothing_yet(run, place):
    assert "entries  0\n" in run("cache").stdout
    result = run("cache", "clear")
    assert (result.exit_code, result.stdout) == (0, f"removed 0 entries, 0.0 MB: {place}\n")
    assert not place.exists()


def test_for_machines(run, place):
    keep_object(KEYS[0], bytes(68))
    facts = {
        "folder": str(place),
        "used": True,
        "reason": None,
        "entries": 1,
        "bytes": 100,  # with a digest of 32
        "limit_bytes": LIMIT,
    }
    assert json.loads(run("cache", "--json", "-").stdout) == facts
    assert "entries  1" in run("cache", "info", "--json", "facts.json").stdout
    assert json.loads((place.parent / "facts.json").read_text()) == facts


def test_clear(run, place):
    for key in KEYS:
        keep_object(key, bytes(1_000_000))
    (place / "notes.txt").write_text("mine")
    result = run("cache", "clear")
    assert (result.exit_code, result.stdout) == (0, f"removed 3 entries, 3.0 MB: {place}\n")
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    keep_object(KEYS[0], b"")
    assert run("cache", "clear").stdout == f"removed 1 entry, 0.0 MB: {place}\n"


def test_it_can_be_cleared_while_off(run, place, monkeypatch):
    keep_object(KEYS[0], b"code")
    monkeypatch.setenv("SYMOPT_CACHE", "0")
    lines = run("cache").stdout.splitlines()
    assert lines[1:3] == ["used     no: SYMOPT_CACHE is '0'", "entries  1"]
    assert run("cache", "clear").stdout.startswith("removed 1 entry")
    assert not list(place.glob("*.object"))


def test_no_home(run, place, monkeypatch):
    def missing():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache, "_folder", missing)
    lines = run("cache").stdout.splitlines()
    assert lines[:2] == ["folder   none", "used     no: Could not determine home directory."]
    result = run("cache", "clear")
    assert (result.exit_code, result.stdout[:17]) == (0, "removed 0 entries")


def test_a_place_that_is_no_folder(run, folder, place):
    place.write_text("a file")
    result = run("cache")
    assert (result.exit_code, "used     no: it is not a folder" in result.stdout) == (0, True)
    result = run("cache", "clear")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: cannot clear '{place}': ")


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_a_folder_that_is_not_used_says_why(run, place):
    place.mkdir()
    place.chmod(0o777)
    assert "used     no: others can write to it\n" in run("cache").stdout


def test_a_folder_that_cannot_be_written_to(run, place, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "used     yes, but nothing is added: it cannot be written to\n" in run("cache").stdout


@pytest.mark.parametrize("arguments", [("empty",), ("clear", "--json", "-"), ("info", "clear")])
def test_bad_usage(run, place, arguments):
    keep_object(KEYS[0], b"code")
    result = run("cache", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert list(place.glob("*.object"))


def test_a_fit_fills_it_and_the_next_one_uses_it(run, place):
    first = run("fit", "line.sym", "--data", "points.csv", "--quiet")
    kept = {path.name: path.read_bytes() for path in place.glob("*.object")}
    assert kept
    second = run("fit", "line.sym", "--data", "points.csv", "--quiet")
    assert (first.exit_code, first.stdout) == (0, second.stdout)
    assert {path.name: path.read_bytes() for path in place.glob("*.object")} == kept
    explained = [run("explain", "line.sym", "--functions", "hvp").stdout for _ in range(2)]
    assert ["machine code from the cache" in text for text in explained] == [False, True]
