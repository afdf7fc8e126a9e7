# SPDX-License-Identifier: GPL-3.0-or-later
"""How many decompositions fit into this machine's memory side by side.
It estimates and asks the system; it starts nothing."""

from __future__ import annotations

import os
from pathlib import Path

from .parallel import worker_count

__all__ = ["side_by_side", "needed_bytes", "free_bytes"]

# A tenth or more above the peaks measured, pages of files included: 505 MB for 40 frames of 384x216; with four sprites, analyzed at
# 640x360, 1.91 GB for 120 of 960x540 and 1.64 GB for 60 of 1920x1080 (python -m benchmarks long); 1.7 GB for 78 of 1280x720, with two
# (benchmarks shots --memory). What grows with the frames was .63 MB a frame of 320x180, 11 bytes a pixel, where each still had more
# edgels than a frame of 1,000 has; that last step is an extrapolation.
_BASE = 350 << 20           # bytes: the interpreter with its libraries and compiled kernels
_ANALYZED = 80              # bytes a pixel and frame of the analysis size ...
_HELD = 1300 << 20          # ... up to this: what is more lies in files, or is made again
_GROWING = 8                # bytes a pixel and frame, however many: what the split into sprites knows of its pieces and their borders
_NATIVE = 300               # bytes a pixel of the clip's own size
_SHARE = 0.8                # of the free memory: the artist's other programs grow too


def side_by_side(shots: int, *, frames: int, analyzed: tuple[int, int], native: tuple[int, int], device: str) -> int:
    """How many of `shots` to decompose at once, the longest with `frames` frames, sizes in px (width, height); 1 or more."""
    if device != "cpu":
        return 1            # the card's memory is planned for one
    free = free_bytes()
    if free is None:
        return 1
    return max(1, min(shots, worker_count(), int(free * _SHARE / needed_bytes(frames=frames, analyzed=analyzed, native=native))))


def needed_bytes(*, frames: int, analyzed: tuple[int, int], native: tuple[int, int]) -> int:
    """About the peak of one decomposition."""
    pixels = frames * analyzed[0] * analyzed[1]
    return _BASE + min(_HELD, _ANALYZED * pixels) + _GROWING * pixels + _NATIVE * native[0] * native[1]


def free_bytes() -> int | None:
    """Memory that can be had without swapping, by the system and by this container's limit; None where nobody tells."""
    known = [size for size in (_of_the_system(), _of_the_container()) if size is not None]
    return min(known) if known else None


def _of_the_system() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2     # macOS tells what there is, not what is free
    except (AttributeError, ValueError, OSError):
        return None


def _of_the_container() -> int | None:
    """What is left of a control group's limit (version 2), if there is one."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return None
