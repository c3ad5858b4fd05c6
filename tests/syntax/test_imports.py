"""Which files are read, in which order, under which names."""

import os
from pathlib import Path

import pytest

import symopt
from symopt.diagnostics import SymoptError

MAIN = "param w init 0\nminimize f(w)\n"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".sym")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "main.sym"


def message(path: Path) -> str:
    with pytest.raises(SymoptError) as caught:
        symopt.load(path)
    return str(caught.value)


def test_a_file_imported_twice_is_read_once(tmp_path: Path) -> None:
    main = written(
        tmp_path,
        main='import "a.sym"\nimport "lib/b.sym"\nimport "lib/../a.sym"\n' + MAIN,
        a='import "lib/b.sym"\ndef f(x) = g(x) + 1\n',
        lib__b="def g(x) = 2 * x\n",
    )
    model = symopt.load(main)
    assert model.source.endswith(MAIN)
    found = [os.path.relpath(source.name, tmp_path) for source in model.sources]
    assert found == ["main.sym", "lib/b.sym", "a.sym"]


def test_a_text_without_a_file_imports_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, a="def f(x) = 3 * x\n")
    monkeypatch.chdir(tmp_path)
    model = symopt.parse('import "a.sym"\n' + MAIN)
    assert [source.name for source in model.sources] == ["<string>", "a.sym"]
    assert model.bind().value([2.0]) == 6


def test_a_link_is_the_file_it_leads_to(tmp_path: Path) -> None:
    main = written(tmp_path, main='import "a.sym"\nimport "b.sym"\n' + MAIN, a="def f(x) = x\n")
    (tmp_path / "b.sym").symlink_to(tmp_path / "a.sym")
    assert len(symopt.load(main).sources) == 2


def test_circles(tmp_path: Path) -> None:
    text = message(written(tmp_path, main='import "main.sym"\n' + MAIN))
    assert "main.sym:1:1: error:" in text and "imports itself" in text
    main = written(tmp_path, main='import "a.sym"\n' + MAIN, a='import "main.sym"\n')
    assert "through other files" in message(main)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    assert "there is no file" in message(written(tmp_path, main='import "a.sym"\n' + MAIN))
    assert "there is no file" in message(written(tmp_path, main='import "no/a.sym"\n' + MAIN))
    assert "cannot be read" in message(written(tmp_path, main='import ""\n' + MAIN))
    main = written(tmp_path, main='import "a.sym"\n' + MAIN)
    (tmp_path / "a.sym").write_bytes(b"def f(x) = \xff\n")
    assert f"{tmp_path / 'a.sym'}:1:12: error:" in message(main)


def test_unread_imports_do_not_make_their_functions_unknown(tmp_path: Path) -> None:
    text = message(written(tmp_path, main='import "a.sym"\n' + MAIN))
    assert text.count("error:") == 1


def test_mistakes_in_a_function_show_its_file(tmp_path: Path) -> None:
    main = written(tmp_path, main='import "a.sym"\n' + MAIN, a="\ndef f(x) = x + nothing\n")
    text = message(main)
    assert f"{tmp_path / 'a.sym'}:2:16: error: `nothing` is not defined" in text
    assert f"in {main}:" in text


def test_other_statements_are_ignored(tmp_path: Path) -> None:
    other = "data K[m]\nparam w init 9\ny[i] = K[i]\ndef f(x) = x + 1\nminimize w * y[0]\n"
    main = written(tmp_path, main='import "a.sym"\n' + MAIN, a=other)
    model = symopt.load(main)
    assert not model.data and not model.dims
    assert model.bind().value([2.0]) == 3
