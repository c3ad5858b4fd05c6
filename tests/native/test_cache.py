"""The cache of object code: what is found again, what is not trusted, and that it never fails."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import symopt
from symopt.native import cache, jit
from symopt.native.cache import cache_files, cache_place, clear_cache, keep_object, object_key

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are of POSIX")
SOMEBODY = os.geteuid() + 1 if hasattr(os, "geteuid") else 0  # who does not run the tests
NUMBER = "define void @number(ptr %p) {{ store double {}, ptr %p ret void }}"
PROGRAM = """\
data x[n], y[n]
param a init 1, b init 0.1
model f = a * (1 - exp(-b * x))
residual r = y - f
"""
IMAGE = bytes(range(256)) * 10


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a cache that is on; it does not exist yet."""
    monkeypatch.delenv("SYMOPT_CACHE")
    monkeypatch.setenv("SYMOPT_CACHE_DIR", str(tmp_path / "around" / "cache"))
    return tmp_path / "around" / "cache"


@pytest.fixture
def generated(monkeypatch):
    """The IR that code was generated for."""
    seen = []
    optimized = jit.optimized

    def noting(ir, *rest):
        seen.append(ir)
        return optimized(ir, *rest)

    monkeypatch.setattr(jit, "optimized", noting)
    return seen


def number(value):
    """What compiled code for a number says."""
    cell = np.zeros(1)
    library = jit.compile_ir(NUMBER.format(f"{value}.0"), "number")
    library.entry(cell.ctypes.data)
    return cell[0]


def the_file(folder):
    """The only entry."""
    (path,) = folder.glob("*.object")
    return path


def read(text):
    return cache.read_object(object_key(text))


def keep(text, image=IMAGE):
    keep_object(object_key(text), image)


# ── hits ─────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_compiled_is_not_compiled_again(folder, generated):
    assert [number(3), number(3), number(4), number(3)] == [3, 3, 4, 3]
    assert generated == [NUMBER.format("3.0"), NUMBER.format("4.0")]
    assert len(list(folder.glob("*.object"))) == 2


def test_stages_say_where_code_came_from(folder):
    first, second = (jit.compile_ir(NUMBER.format("5.0"), "number") for _ in range(2))
    assert list(first.seconds) == ["passes", "code", "link"]
    assert list(second.seconds) == ["cached", "link"]
    models = [symopt.parse(PROGRAM) for _ in range(2)]
    texts = [str(model.explain("grad")) for model in models]
    assert "machine code from the cache" not in texts[0] and "LLVM passes" in texts[0]
    assert "machine code from the cache" in texts[1] and "LLVM passes" not in texts[1]


def test_the_same_bits_with_and_without(folder, monkeypatch):
    x = np.linspace(0, 5, 37)
    given = {"x": x, "y": np.sin(x)}
    p = np.array([0.7, 0.3])

    def results():
        problem = symopt.parse(PROGRAM).bind(given)
        return problem.value(p), *problem.gauss_newton(p), problem.hess(p), problem.jac(p)

    found = [results(), results()]
    assert list(folder.glob("*.object"))
    monkeypatch.setenv("SYMOPT_CACHE", "off")
    for with_cache in found:
        for one, other in zip(with_cache, results(), strict=True):
            assert np.array_equal(one, other)


def test_fresh_processes_find_it_whatever_their_hashes(folder):
    script = (
        f"import symopt; f = symopt.parse({PROGRAM!r}).bind(x=[1.0, 2.0], y=[1.0, 1.5])\n"
        "print(f.value_and_grad([1.0, 0.5]))\n"
        "import sympy; x = sympy.Symbol('x'); print(symopt.lambdify(x, sympy.sin(x))(0.5))"
    )
    outputs, names = [], []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        outputs.append(subprocess.check_output([sys.executable, "-c", script], env=environment))
        names.append({path.name for path in folder.glob("*.object")})
    assert outputs[0] == outputs[1]
    assert names[0] == names[1]
    assert len(names[0]) == 4  # the gradient, the expression, and what is called from Python


@pytest.mark.parametrize("change", ["features", "passes", "format"])
def test_other_circumstances_have_other_code(folder, generated, monkeypatch, change):
    number(3)
    fixed, versions, triple, cpu, features, layout, passes = jit._circumstances()
    others = {
        "features": (fixed, versions, triple, cpu, features + ",+none", layout, passes),
        "passes": (fixed, versions, triple, cpu, features, layout, passes[1:]),
        "format": (fixed + "1", versions, triple, cpu, features, layout, passes),
    }
    monkeypatch.setattr(jit, "_circumstances", lambda: others[change])
    assert number(3) == 3
    assert len(generated) == 2


def test_keys_are_of_each_text_and_their_order():
    keys = {object_key(*texts) for texts in (("ab", "c"), ("a", "bc"), ("c", "ab"), ("abc",))}
    assert len(keys) == 4


# ── what is not trusted ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: content[:32],
    ],
    ids=["empty", "seal cut", "cut", "longer", "one bit", "one bit of the seal", "seal alone"],
)
def test_what_is_damaged_is_not_run_but_made_anew(folder, generated, damage):
    number(3)
    path = the_file(folder)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert number(3) == 3
    assert len(generated) == 2
    assert path.read_bytes() == content


def test_an_entry_is_of_its_own_key_only(folder):
    keep("one")
    keep("other", IMAGE[::-1])
    os.replace(folder / f"{object_key('one')}.object", folder / f"{object_key('other')}.object")
    assert (read("one"), read("other")) == (None, None)


@POSIX
def test_only_this_user_can_read(folder):
    before = os.umask(0)
    try:
        keep("one")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_to_is_not_used(folder, generated, mode):
    number(3)
    folder.chmod(mode)
    assert number(3) == 3
    assert number(4) == 4
    assert len(generated) == 3
    assert len(list(folder.glob("*.object"))) == 1
    assert cache_place().obstacle == "others can write to it"


@POSIX
def test_a_file_that_others_can_write_to_is_replaced(folder, generated):
    number(3)
    the_file(folder).chmod(0o620)
    assert number(3) == 3
    assert len(generated) == 2
    assert stat.S_IMODE(the_file(folder).stat().st_mode) == 0o600


@POSIX
def test_what_belongs_to_others_is_not_used(folder, generated, monkeypatch):
    number(3)
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)  # as if another user had made it
    assert cache_place().obstacle == "it belongs to somebody else"
    assert [number(3), number(4)] == [3, 4]
    assert len(generated) == 3
    assert len(list(folder.glob("*.object"))) == 1


@POSIX
def test_no_folder_is_made_in_the_home_of_another(folder, monkeypatch):
    folder.parent.mkdir()
    if os.geteuid() == 0:  # in what belongs to root, anybody may
        os.chown(folder.parent, SOMEBODY, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    keep("one")
    assert not folder.exists()
    assert str(folder.parent) in (cache_place().obstacle or "")


@POSIX
def test_links_are_no_entries(folder, tmp_path):
    keep("one")
    path = the_file(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert read("one") is None
    keep("one")
    assert read("one") == IMAGE
    assert not path.is_symlink()


# ── nothing fails ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("where", ["a file", "in a file", "a missing home"])
def test_places_that_cannot_be(tmp_path, monkeypatch, where):
    monkeypatch.delenv("SYMOPT_CACHE")
    (tmp_path / "file").write_text("")
    place = {"a file": tmp_path / "file", "in a file": tmp_path / "file/a/b"}.get(where)
    if place is not None:
        monkeypatch.setenv("SYMOPT_CACHE_DIR", str(place))
    else:
        monkeypatch.setattr(cache, "_folder", _no_home)
    assert [number(3), number(3)] == [3, 3]
    assert cache_place().obstacle
    assert (tmp_path / "file").read_text() == ""


def _no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("call", ["mkstemp", "replace", "open", "scandir"])
def test_a_disk_that_refuses(folder, monkeypatch, call):
    """Full, read only, or gone meanwhile: code is generated, and nothing half is left."""

    def refuse(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "LIMIT", 0)
    monkeypatch.setattr(cache, "_ROOM", 0)  # every entry has the whole folder looked at
    monkeypatch.setattr(cache.tempfile if call == "mkstemp" else cache.os, call, refuse)
    assert [number(3), number(3)] == [3, 3]
    monkeypatch.undo()
    assert not folder.exists() or not list(folder.glob("*.partial"))


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_what_is_read_only_is_read(folder, generated):
    number(3)
    folder.chmod(0o500)
    try:
        assert [number(3), number(4)] == [3, 4]
    finally:
        folder.chmod(0o700)
    assert len(generated) == 2


def test_the_size_is_limited(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 100_000)
    monkeypatch.setattr(cache, "_ROOM", 25_000)
    monkeypatch.setattr(cache, "_UNIT", 1000)
    for k in range(100):
        keep(f"{k}", bytes(5000))
        path = folder / f"{object_key(str(k))}.object"
        os.utime(path, (k, k))
        assert read("0") is not None  # what is used stays
        assert sum(file.size for file in cache_files(folder)) <= 100_000
    first, *rest = (k for k in range(100) if read(f"{k}") is not None)
    assert first == 0
    assert rest == list(range(100 - len(rest), 100))
    assert len(rest) * 5000 > 60_000


def test_the_folder_is_looked_at_seldom(folder, monkeypatch):
    looks = []
    scandir = os.scandir
    monkeypatch.setattr(cache.os, "scandir", lambda path: looks.append(path) or scandir(path))
    for k in range(600):
        keep(f"{k}", b"short")
    assert len(looks) == 1


# ── several at once ──────────────────────────────────────────────────────────────────────────────

_WRITER = """\
import sys
from symopt.native import cache
cache.LIMIT, cache._ROOM, cache._UNIT = 200_000, 50_000, 1000
found = 0
for k in range(300):
    key = cache.object_key(str(k % 20))
    image = str(k % 20).encode() * 4000
    read = cache.read_object(key)
    assert read in (None, image), k
    found += read is not None
    cache.keep_object(key, image)
print(found)
"""


def test_several_processes_write_at_once(folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _WRITER]
    running = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    done = [(*process.communicate(), process.returncode) for process in running]
    assert [(error, code) for _, error, code in done] == [("", 0)] * 2
    assert all(int(found) > 0 for found, _, _ in done)
    assert not list(folder.glob("*.partial"))


def test_threads_compile_at_once(folder):
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(number, [k % 5 for k in range(40)])) == [k % 5 for k in range(40)]
    assert len(list(folder.glob("*.object"))) == 5


# ── where ────────────────────────────────────────────────────────────────────────────────────────


def test_tests_leave_no_files_with_the_user():
    assert cache_place().obstacle == "SYMOPT_CACHE is 'off'"


@pytest.mark.parametrize("word", ["0", "off", "OFF", "no", "false", " 0 "])
def test_turned_off(folder, monkeypatch, generated, word):
    number(3)
    monkeypatch.setenv("SYMOPT_CACHE", word)
    assert [number(3), number(4)] == [3, 4]
    assert len(generated) == 3
    assert len(list(folder.glob("*.object"))) == 1


@pytest.mark.parametrize("word", ["", "1", "on"])
def test_not_turned_off(folder, monkeypatch, word):
    monkeypatch.setenv("SYMOPT_CACHE", word)
    keep("one")
    assert read("one") == IMAGE


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="they have their own places")
@pytest.mark.parametrize(
    ("shared", "expected"),
    [(None, "home/.cache/symopt"), ("", "home/.cache/symopt"), ("near", "home/.cache/symopt")],
)
def test_the_usual_place(tmp_path, monkeypatch, shared, expected):
    monkeypatch.delenv("SYMOPT_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if shared is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", shared)
    assert cache_place().folder == (tmp_path / expected).resolve()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache_place().folder == (tmp_path / "shared" / "symopt").resolve()
    monkeypatch.setenv("SYMOPT_CACHE_DIR", "~/own")
    assert cache_place().folder == (tmp_path / "home" / "own").resolve()


def test_only_its_own_files_are_removed(folder):
    keep("one")
    others = [folder / name for name in ("notes.txt", "my.object", "a.partial")]
    for path in others:
        path.write_text("mine")
    (folder / "symopt-abc.partial").write_text("what a killed process left")
    assert sorted(file.whole for file in clear_cache(folder)) == [False, True]
    assert sorted(folder.iterdir()) == sorted(others)
