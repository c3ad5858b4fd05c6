"""Object code on disk, so that what was compiled once need not be compiled again.

An entry is a file named by the digest of everything that determines it. It begins with a digest of
its content: a file that was cut short or altered is never run. Only files and folders of this user,
that nobody else can write to, are used. Whatever fails, a full disk or a missing home, means that
there is no cache, and is no error; `symopt cache` says why.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

LIMIT = 256_000_000  # bytes
_ROOM = LIMIT // 8  # may be written between two looks at the whole folder
_UNIT = 1 << 16  # bytes that are noted as one
_OBJECT, _PARTIAL = ".object", ".partial"
_PREFIX = "symopt-"  # of what is no entry
_WRITTEN = f"{_PREFIX}written"  # as many bytes as units were written since the last look
_OURS = re.compile(rf"[0-9a-f]{{64}}{_OBJECT}|{_PREFIX}\w+{_PARTIAL}")
_SEAL = sha256().digest_size


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of the cache, and why it is not used, if it is not."""

    folder: Path | None
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class File:
    """An entry, or what was left of one by a process that was killed."""

    path: Path
    size: int
    used: float  # when it was last read or written

    @property
    def whole(self) -> bool:
        """Whether it is an entry."""
        return self.path.suffix == _OBJECT


def object_key(*determined_by: str) -> str:
    """The name of the object code that these texts determine."""
    return sha256("\0".join(determined_by).encode()).hexdigest()


def read_object(key: str) -> bytes | None:
    """The object code of a key, if it is there, is ours, and is what was written."""
    place = cache_place()
    if place.folder is None or place.obstacle:
        return None
    path = place.folder / f"{key}{_OBJECT}"
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or _distrust(status):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    image = content[_SEAL:]
    if content[:_SEAL] != _seal(key, image):
        return None
    with suppress(OSError):  # read only
        os.utime(path)
    return image


def keep_object(key: str, image: bytes) -> None:
    """Keeps object code for later, in this process and in others, if that can be done."""
    place = cache_place()
    if place.folder is None or place.obstacle:
        return
    with suppress(OSError):
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(place.folder / f"{key}{_OBJECT}", _seal(key, image) + image)
        if _note(place.folder, len(image)) * _UNIT > _ROOM:
            _prune(place.folder)


def cache_files(folder: Path) -> Iterator[File]:
    """The files of the cache in a folder. Others are none of ours."""
    with os.scandir(folder) as found:
        for one in found:
            if _OURS.fullmatch(one.name):
                with suppress(FileNotFoundError):  # another process was faster
                    status = one.stat(follow_symlinks=False)
                    yield File(Path(one.path), status.st_size, status.st_mtime)


def clear_cache(folder: Path) -> tuple[File, ...]:
    """Removes all files of the cache from a folder, and says which."""
    files = tuple(cache_files(folder))
    for file in files:
        file.path.unlink(missing_ok=True)
    (folder / _WRITTEN).unlink(missing_ok=True)
    return files


# ── where ────────────────────────────────────────────────────────────────────────────────────────


def cache_place() -> Place:
    """Where the environment puts the cache, and whether it can be used there."""
    try:
        folder = _folder().resolve()
    except (OSError, RuntimeError) as error:  # no home, or links in a circle
        return Place(None, str(error))
    switch = os.environ.get("SYMOPT_CACHE", "")
    if switch.strip().lower() in ("0", "off", "no", "false"):
        return Place(folder, f"SYMOPT_CACHE is '{switch}'")
    try:
        return Place(folder, _obstacle(folder))
    except OSError as error:
        return Place(folder, error.strerror or str(error))


def _obstacle(folder: Path) -> str | None:
    """Why nothing is read from a folder, or none made; None if it is, or can be."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return _unmakeable(folder)
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a folder"
    return _distrust(status)


def _folder() -> Path:
    """By the environment, else where such things are on this platform."""
    if chosen := os.environ.get("SYMOPT_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData/Local") / "symopt" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/symopt"
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # Its specification has relative paths ignored.
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "symopt"


def _distrust(status: os.stat_result) -> str | None:
    """Why a file or folder is not used: what others wrote could be run as this user."""
    if sys.platform == "win32":
        return None  # folders of a user are closed to others
    if status.st_uid != os.geteuid():
        return "it belongs to somebody else"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others can write to it"
    return None


def _unmakeable(folder: Path) -> str | None:
    """Why there is no making of a folder, by what is there of those around it."""
    around = next(parent for parent in folder.parents if parent.exists())
    if not around.is_dir():
        return f"{around} is not a folder"
    # Root in another's home would leave a folder there that its owner cannot use.
    if sys.platform != "win32" and around.stat().st_uid not in (os.geteuid(), 0):
        return f"{around} belongs to somebody else"
    return None if os.access(around, os.W_OK | os.X_OK) else f"{around} cannot be written to"


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def _seal(key: str, image: bytes) -> bytes:
    """What a file begins with. No file passes for that of another key."""
    return sha256(key.encode() + image).digest()


def _write(path: Path, content: bytes) -> None:
    """Writes a file that others see whole or not at all, and only this user can read."""
    handle, temporary = tempfile.mkstemp(_PARTIAL, _PREFIX, path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _note(folder: Path, size: int) -> int:
    """Notes that so many bytes were written; how many units there are since the last look."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    handle = os.open(folder / _WRITTEN, flags, 0o600)
    with open(handle, "ab") as file:
        file.write(bytes(1 + size // _UNIT))
        file.flush()
        return os.fstat(handle).st_size


def _prune(folder: Path) -> None:
    """Removes what was not used for longest, until there is room again."""
    files = sorted(cache_files(folder), key=lambda file: file.used)
    excess = sum(file.size for file in files) - (LIMIT - _ROOM)
    for file in files:
        if excess <= 0:
            break
        with suppress(OSError):  # on Windows, one that is being read
            file.path.unlink(missing_ok=True)
            excess -= file.size
    os.truncate(folder / _WRITTEN, 0)
