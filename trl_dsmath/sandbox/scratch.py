"""A private directory on disk, for walls that cannot mount one in memory; measured while the program runs."""

import os
import shutil
import stat
import tempfile


def make() -> str:
    """A new, empty directory that only this user can enter."""
    return os.path.realpath(tempfile.mkdtemp(prefix="dsmath-sandbox-"))


def remove(path: str) -> None:
    """Removes it; links in it are removed, not followed."""
    shutil.rmtree(path, ignore_errors=True)


def megabytes(path: str, pid: int) -> float:
    """What the files take on disk, those included that are deleted but still held open by the process `pid`."""
    sizes: dict[tuple[int, int], int] = {}
    waiting = [path]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            _count(entry.path, False, sizes)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
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
