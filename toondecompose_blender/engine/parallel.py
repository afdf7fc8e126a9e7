# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on many frames at once, in threads, with results in order; OpenCV and the compiled kernels release the interpreter.
Each item is computed by one thread alone, so the number of threads never changes a byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from collections import deque
from typing import TypeVar

from .paged import paged, trim

__all__ = ["map_ordered", "worker_count"]

Item, Value = TypeVar("Item"), TypeVar("Value")


def worker_count() -> int:
    """Threads to use: TOONDECOMPOSE_THREADS, else the cores this process may run on."""
    asked = os.environ.get("TOONDECOMPOSE_THREADS", "")
    if asked.isdecimal():
        return max(1, int(asked))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_ordered(function: Callable[[Item], Value], items: Iterable[Item], *, ahead: int = 2, most: int | None = None) -> Iterator[Value]:
    """`function` of every item, in order, with at most `ahead` results per thread waiting (so memory stays bounded); `most`: threads
    that may work on items which take much memory each."""
    workers = min(worker_count(), most or worker_count())
    if workers == 1:
        yield from paged(map(function, items))
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers * ahead:
                    yield waiting.popleft().result()
                    trim()
            while waiting:
                yield waiting.popleft().result()
                trim()
        finally:
            for future in waiting:
                future.cancel()
