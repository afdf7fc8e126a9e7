# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a whole clip that may not fit into memory: arrays that lie in files, and results that are made again when asked for.
Nothing here changes a value: how much is kept in memory never changes a byte of what is computed."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import secrets
import shutil
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

__all__ = ["Keeper", "Recalled", "empty_on_disk", "give_back", "new", "open_on_disk", "paged", "spilling", "stacked", "trim"]

Item = TypeVar("Item")

IN_MEMORY = 48 << 20        # bytes up to which one array stays in memory: a short clip never waits for a disk
RESIDENT = 640 << 20        # bytes of all files mapped, libraries (350 MB) included, from which pages are given back
LOOKED_AFTER = 0.02         # seconds between two looks at it: asking the system takes as long as much of the work between
RECALLED = 256 << 20        # bytes of results that one `Recalled` keeps
FEWEST_RECALLED = 8         # results: for each thread a pair of frames, and as many that come next

ALIGNED = 64                # bytes: where a kept array may begin

_folder: Path | None = None     # where large arrays go: said once, by who owns the job's folder
_mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_page = mmap.PAGESIZE
_looked = 0.0


def empty_on_disk(path: Path, shape: tuple[int, ...], dtype: type, *, passing: bool = False) -> np.ndarray:
    """An array in the .npy file `path`, to be filled in place; `passing`: the file goes with it.  Raises OSError."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size > shutil.disk_usage(path.parent).free:      # before a byte of it is taken from others
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    _reserve(path)
    if passing:
        weakref.finalize(array._mmap, _unlinked, path)
    return _watched(array)


def _reserve(path: Path) -> None:
    """Have the system set the file's room aside: a disk that fills up later would end the process without a word."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as cause:
                if cause.errno not in (errno.EOPNOTSUPP, errno.EINVAL):     # said where a kind of disk cannot do it
                    file.truncate(0)    # what was set aside until then would stay taken
                    raise


def _unlinked(path: Path) -> None:
    with suppress(OSError):     # where open files cannot be removed, the folder's owner does it
        path.unlink()


def open_on_disk(path: Path) -> np.ndarray:
    """The array in the .npy file `path`, only to be read: what is written into it is lost.  Raises OSError."""
    return _watched(np.load(path, mmap_mode="c"))


def _watched(array: np.memmap) -> np.ndarray:
    """The array as a plain one, so that compiled kernels know but one kind; its pages are given back from time to time."""
    if array._mmap is not None:     # an array without elements has no pages
        _mapped.add(array._mmap)
    return np.asarray(array)


def trim() -> None:
    """Give pages of mapped files back to the system, if there are too many: they are read again when they are needed."""
    global _looked
    now = time.monotonic()
    if not _mapped or not hasattr(mmap, "MADV_DONTNEED") or now - _looked < LOOKED_AFTER:
        return
    _looked = now
    if _resident() > RESIDENT:
        for mapped in list(_mapped):
            mapped.madvise(mmap.MADV_DONTNEED)


def give_back() -> None:
    """Return to the system what the C library holds of memory that is free again: a stage frees much in small pieces."""
    with suppress(OSError, AttributeError):     # glibc's own
        ctypes.CDLL(None).malloc_trim(0)


def _resident() -> int:
    """Bytes of files that are in memory for this process; more than any limit where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[2]) * _page
    except (OSError, ValueError, IndexError):
        return 1 << 62


def paged(items: Iterable[Item]) -> Iterator[Item]:
    """The items, for a pass through a clip: pages are given back on the way."""
    for item in items:
        yield item
        trim()


@contextmanager
def spilling(folder: Path) -> Iterator[None]:
    """Within, large arrays lie in files below `folder`, which is removed in the end; without, they are in memory."""
    global _folder
    before, _folder = _folder, folder
    try:
        yield
    finally:
        _folder = before
        shutil.rmtree(folder, ignore_errors=True)


def new(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array to be filled, in memory or, if it is large, in a file that goes with it.  Raises OSError."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if _folder is None or size <= IN_MEMORY:
        return np.empty(shape, dtype)
    _folder.mkdir(parents=True, exist_ok=True)
    return empty_on_disk(_folder / f"{secrets.token_hex(8)}.npy", shape, dtype, passing=True)


def stacked(values: Iterable[np.ndarray], count: int, dtype: type | None = None) -> np.ndarray:
    """What `np.stack` makes of `count` (1 or more) arrays of one shape and kind, asked for one after the other; as `dtype`, if it is
    given."""
    result = None
    for index, value in enumerate(values):
        if result is None:
            result = new((count, *value.shape), dtype or value.dtype)
        result[index] = value
    return result


class Keeper:
    """Keeps many arrays of any shapes: the first ones in memory, where all must not fit there in files."""

    def __init__(self) -> None:
        self._held, self._block, self._used = 0, None, 0

    def keep(self, array: np.ndarray) -> np.ndarray:
        """The same array, or its copy in a file.  Not to be called from several threads."""
        self._held += array.nbytes
        if _folder is None or self._held <= IN_MEMORY or not array.nbytes:
            return array
        size = -(-array.nbytes // ALIGNED) * ALIGNED
        if self._block is None or self._used + size > len(self._block):
            self._block, self._used = new((max(size, IN_MEMORY + 1),), np.uint8), 0
        place = self._block[self._used:self._used + array.nbytes]
        self._used += size
        kept = place.view(array.dtype).reshape(array.shape)
        kept[...] = array
        return kept


class Recalled(Generic[Item]):
    """The results of `make(0)` ... `make(count - 1)`, each made when it is first asked for, and again if that was long ago.

    `make` must always give the same for the same number.  Safe to use from several threads.
    """

    def __init__(self, make: Callable[[int], Item], count: int, *, size: int):
        """`size`: bytes of one result, about."""
        self._make, self._count, self._known, self._lock = make, count, OrderedDict(), threading.Lock()
        self._most = max(FEWEST_RECALLED, RECALLED // max(1, size))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(self._count))

    def __getitem__(self, index: int) -> Item:
        index = int(index)
        if not -self._count <= index < self._count:
            raise IndexError(index)
        index %= self._count
        with self._lock:
            known = self._known.get(index)
            asked_first = known is None
            if asked_first:
                known = self._known[index] = Future()
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
            self._known.move_to_end(index)
        if asked_first:
            try:
                known.set_result(self._make(index))
            except BaseException as cause:
                known.set_exception(cause)
        return known.result()
