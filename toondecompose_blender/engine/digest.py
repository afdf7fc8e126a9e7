# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of a clip's files: all bytes of pictures, samples of a large movie, which every shot would else read whole; and the
engine's own.  It does not know what the files show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["combined_digest", "engine_digest"]

_WHOLE = 256 << 20      # bytes up to which a file is read completely: a tenth of a second to half of one
_SAMPLES, _SAMPLE = 64, 1 << 20


def combined_digest(files: Iterable[Path]) -> str:
    """Hexadecimal SHA-256 over the files' own digests, in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(_digest(path))
    return digest.hexdigest()


@cache
def engine_digest() -> str:
    """Hexadecimal SHA-256 over the engine's source files: what it left half done before an update is not for it to go on with."""
    return combined_digest(sorted(Path(__file__).parent.rglob("*.py"), key=Path.as_posix))


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size <= _WHOLE:
            return hashlib.file_digest(file, "sha256").digest()
        digest = hashlib.sha256(str(size).encode())
        for number in range(_SAMPLES):
            file.seek(number * (size - _SAMPLE) // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE))
        return digest.digest()
