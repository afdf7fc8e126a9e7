# SPDX-License-Identifier: GPL-3.0-or-later
"""How this package starts another of its modules in a process of its own, on the interpreter that runs now.
It builds argument lists; it starts nothing."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["module_words"]

_PACKAGE = Path(__file__).resolve().parent.parent
# As the extension starts its engine: nothing of the package's parent folder stands in front of the standard library.
_START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"


def module_words(module: str, words: list[str]) -> list[str]:
    """The argument list that runs `module` of this package (as "engine" or "jobs.submit") with `words`."""
    flags = [*(["-I"] if sys.flags.isolated else []), "-X", "utf8"]
    flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [sys.executable, *flags, "-c", _START, str(_PACKAGE.parent), f"{_PACKAGE.name}.{module}", *words]
