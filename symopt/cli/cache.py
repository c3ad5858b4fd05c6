"""`symopt cache`: the code that was compiled before, and kept on disk."""

from __future__ import annotations

import os
from typing import Literal

import click

from symopt.cli.options import color_option
from symopt.cli.refusal import bad_input
from symopt.native.cache import LIMIT, Place, cache_files, cache_place, clear_cache


@click.command("cache", short_help="Show or clear the compiled code on disk.")
@click.argument("action", type=click.Choice(["info", "clear"]), default="info")
@click.option("--json", "json_path", metavar="FILE", help="Write the facts; - instead of text.")
@color_option
def command(action: Literal["info", "clear"], json_path: str | None) -> None:
    """Show where compiled code is kept, how much there is and whether it is used (info, which is
    the default), or remove it (clear).

    What was compiled once is read from disk the next time. The folder is SYMOPT_CACHE_DIR, or else
    the usual one of this system; SYMOPT_CACHE=off turns the cache off. At its limit, what was not
    used for longest goes first.
    """
    if action == "info":
        _inform(json_path)
    elif json_path is None:
        _clear()
    else:
        raise click.UsageError("--json goes with `symopt cache info`.")


def _inform(json_path: str | None) -> None:
    place = cache_place()
    sizes = _sizes(place)
    if json_path != "-":
        click.echo(f"folder   {place.folder or 'none'}")
        click.echo(f"used     {_use(place)}")
        click.echo(f"entries  {len(sizes)}")
        click.echo(f"size     {_megabytes(sum(sizes))} of at most {_megabytes(LIMIT)}")
    if json_path is not None:
        from symopt.cli.result_file import write_json

        document = {
            "folder": None if place.folder is None else str(place.folder),
            "used": place.obstacle is None,
            "reason": place.obstacle,
            "entries": len(sizes),
            "bytes": sum(sizes),
            "limit_bytes": LIMIT,
        }
        write_json(json_path, document)


def _use(place: Place) -> str:
    if place.obstacle or place.folder is None:
        return f"no: {place.obstacle}"
    closed = place.folder.exists() and not os.access(place.folder, os.W_OK)
    return "yes, but nothing is added: it cannot be written to" if closed else "yes"


def _sizes(place: Place) -> tuple[int, ...]:
    """Those of the entries; none where there is no looking."""
    try:
        files = cache_files(place.folder) if place.folder else ()
        return tuple(file.size for file in files if file.whole)
    except OSError:
        return ()


def _clear() -> None:
    place = cache_place()
    try:
        files = clear_cache(place.folder) if place.folder else ()
    except FileNotFoundError:
        files = ()
    except OSError as error:
        reason = error.strerror or str(error)
        raise bad_input("unusable-cache", f"cannot clear '{place.folder}': {reason}") from None
    removed = [file.size for file in files if file.whole]
    entries = "1 entry" if len(removed) == 1 else f"{len(removed)} entries"
    click.echo(f"removed {entries}, {_megabytes(sum(removed))}: {place.folder or place.obstacle}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
