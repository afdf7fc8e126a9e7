# SPDX-License-Identifier: GPL-3.0-or-later
"""A device that takes frames in batches as large as its memory allows, and gives them back when it is full.
It knows bytes and exceptions; what is computed is the caller's business."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

from ..parallel import map_ordered
from ..report import Report, Silent

__all__ = ["Accelerator", "planned"]

Item, Value = TypeVar("Item"), TypeVar("Value")

SHARE = 0.5            # of the free memory that one batch may plan with: torch's allocator rounds up, and the screen needs some
LARGEST = 16 << 30     # bytes of a batch: more at once is no faster, and waits longer for Cancel
ON_CPU = 256 << 20     # bytes of a batch on a processor, where a large one only leaves the caches


class Accelerator:
    """Computes batches on `device`, "cuda" or "cpu"; `budget` in bytes replaces what the device itself has free."""

    def __init__(self, device: str, *, report: Report | None = None, budget: int | None = None):
        # cuBLAS repeats itself only with a workspace of a fixed size, asked for before its first call (NVIDIA's cuBLAS guide, 2.1.4).
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        self.device, self._report, self._budget = torch.device(device), report or Silent(), budget
        self._warned = False

    def free(self) -> int:
        """Bytes that batches may plan with now."""
        if self._budget is not None:
            return self._budget
        if self.device.type != "cuda":
            return ON_CPU
        # What torch's allocator holds without using counts as free: the next batch gets it back.
        idle = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return planned(torch.cuda.mem_get_info(self.device)[0] + idle)

    def map(self, on_device: Callable[[Sequence[Item]], Sequence[Value]], items: Sequence[Item], *, otherwise: Callable[[Item], Value],
            bytes_each: int, most: int | None = None) -> Iterator[Value]:
        """`on_device` of batches of items, in order, as many at once as fit if each needs `bytes_each`, and `most` at most.

        A batch that does not fit after all is tried again in halves; an item that does not fit alone is computed by `otherwise`, on
        the processor.  The artist is warned once; nothing is raised for want of memory.
        """
        done, size = 0, min(most or len(items), len(items), self.free() // max(1, bytes_each))
        while done < len(items):
            batch = items[done:done + max(1, size)]
            values = self._tried(on_device, batch) if size else None
            if values is None:
                self._warn()
                size //= 2
                if size:
                    continue
                values = list(map_ordered(otherwise, batch))
            yield from values
            done += len(batch)

    def _tried(self, on_device: Callable[[Sequence[Item]], Sequence[Value]], batch: Sequence[Item]) -> list[Value] | None:
        """The values of a batch, or None if the memory did not suffice."""
        try:
            with _repeatable(), torch.inference_mode():
                return list(on_device(batch))
        except RuntimeError as error:       # torch.OutOfMemoryError is one
            if not _is_full(error):
                raise
        if self.device.type == "cuda":     # here the failed batch's tensors are gone; in the handler its traceback still held them
            torch.cuda.empty_cache()
        return None

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            self._report.warn("engine.out_of_memory", "The graphics card's memory is full; parts of the work go on in smaller pieces or on "
                              "the processor, more slowly.", "Close other programs that use the card, or choose fewer Analysis Lines.")

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """An array on the device, of its own type."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def pictures(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        """Pictures (h, w) or (h, w, C) of one size as float32 (N, C, h, w): they travel as they are and are widened there."""
        stacked = self.tensor(np.stack(pictures))
        stacked = stacked[:, None] if stacked.ndim == 3 else stacked.permute(0, 3, 1, 2)
        return stacked.to(torch.float32)


def planned(free: int) -> int:
    """Bytes that one batch may take of a card with `free` bytes: powers of two, so that batches, by which sums may be grouped, stay the
    same while other programs come and go."""
    share = int(free * SHARE)
    return min(LARGEST, 1 << share.bit_length() - 1) if share > 0 else 0


@contextmanager
def _repeatable() -> Iterator[None]:
    """Only operators that give the same bytes again; torch raises an error where there is none."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _is_full(error: RuntimeError) -> bool:
    """Whether an error of torch tells of full memory; cuBLAS, cuDNN and the processor's allocator have no class of their own."""
    signs = "ALLOC_FAILED", "can't allocate memory", "not enough memory"
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)
