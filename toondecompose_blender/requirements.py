# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's pinned packages, read from the one file that names them: what the installer installs is what the doctor looks for.
Standard library only; both sides import it, as they do the protocol, and it must not know what the packages are for."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PACKAGE", "Requirement", "requirements", "requirements_file", "requirements_hash"]

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Requirement:
    """A package by its name in the index, the version that is tested, and the module that it is imported as."""
    name: str
    version: str
    module: str


def requirements_file() -> Path:
    """The file of pinned packages: beside the extension's modules, or in the checkout."""
    packed = PACKAGE / "requirements.txt"
    return packed if packed.is_file() else PACKAGE.parent / "requirements" / "engine.txt"


def requirements() -> tuple[Requirement, ...]:
    """All packages; a comment behind one is its module's name, where that differs."""
    rows = (line.partition("#") for line in requirements_file().read_text(encoding="utf-8").splitlines())
    pinned = ((*left.strip().split("=="), comment.strip()) for left, _, comment in rows if left.strip())
    return tuple(Requirement(name, version, module or name) for name, version, module in pinned)


@functools.lru_cache
def requirements_hash() -> str:
    """SHA-256 of the pinned packages, comments left out."""
    return hashlib.sha256("\n".join(f"{each.name}=={each.version}" for each in requirements()).encode()).hexdigest()
