"""A private directory on disk, for walls that cannot mount one in memory; measured while the program runs."""

import contextlib
import math
import os
import stat
import tempfile

MAX_ENTRIES = 2048  # files and directories; the walls with memory for a disk have the same limit


def make() -> str:
    """A new, empty directory that only this user can enter."""
    return os.path.realpath(tempfile.mkdtemp(prefix="dsmath-sandbox-"))


def remove(path: str) -> None:
    """Removes it; links in it are removed, not followed. A deep tree is taken apart from the top: nothing recurses."""
    moved = 0
    with contextlib.suppress(OSError):
        while entries := list(os.scandir(path)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                for inner in list(os.scandir(entry.path)):
                    os.rename(inner.path, f"{path}/.moved-{moved}")
                    moved += 1
                os.rmdir(entry.path)
        os.rmdir(path)


def megabytes(path: str, pid: int) -> float:
    """What the files take on disk, those included that are deleted but still held open by the process `pid`.

    Infinite for more entries than a program needs, and where a directory cannot be looked into.
    """
    sizes: dict[tuple[int, int], int] = {}
    waiting = [path]
    entries = 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries += 1
                    if entries > MAX_ENTRIES:
                        return math.inf
                    _count(entry.path, False, sizes)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue  # removed meanwhile
        except OSError:
            return math.inf
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            _count(f"/proc/{pid}/fd/{descriptor}", True, sizes)
    except OSError:
        pass  # it has ended
    return sum(sizes.values()) / (1 << 20)


def _count(path: str, follow: bool, sizes: dict[tuple[int, int], int]) -> None:
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        sizes[found.st_dev, found.st_ino] = max(found.st_blocks * 512, 4096)
