# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory habits of the process: large buffers that are freed stay at hand for the next layer of a network.
Knows the C library's allocator, where it is one that listens; it does not know what the memory is for."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt, in glibc's malloc.h
_NEVER = -1


def keep_freed_memory() -> bool:
    """Do not return large buffers to the system one by one; True if the allocator can be told so.

    glibc maps each buffer above 32 MB anew and the system clears every page of it: 2.4 of 8.8 s a frame at 256 px.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # another C library: Windows, macOS, musl
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
