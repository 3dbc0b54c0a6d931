"""Files in the cache outside the work tree, made once however many processes want them at the same time."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `<path>.lock` for the length of a with block; other processes wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def cached_file(path: Path, make: Callable[[Path], None]) -> Path:
    """`path` (a file or folder), made by `make(<temporary path>)` when absent; a killed make leaves none."""
    if path.exists():
        return path
    with locked(path):
        if not path.exists():
            partial = path.with_name(f"{path.name}.partial")
            remove(partial)
            make(partial)
            partial.rename(path)
    return path


def content_key(*folders: Path, extra: str = "") -> str:
    """16 hexadecimal digits over the names, executable bits and contents of files, and a text."""
    digest = hashlib.sha256(extra.encode())
    for folder in folders:
        for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            executable = path.stat().st_mode & 0o111 != 0
            digest.update(f"\0{path.relative_to(folder)}\0{executable}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def remove(path: Path) -> None:
    """Remove a file or folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
