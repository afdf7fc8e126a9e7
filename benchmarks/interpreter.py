# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes on in the engine's environment of the checkout where this interpreter lacks the engine's packages.
Standard library only; it knows no topic."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

__all__ = ["use_engine"]

ENGINE = Path(__file__).resolve().parents[1] / ".venv-engine/bin/python"
AGAIN = "TOONDECOMPOSE_BENCHMARKS_AGAIN"    # set for the second start: an environment that is broken does not start a third


def use_engine() -> None:
    """Return if the engine can run here, else start again where it can.  Raises `SystemExit` if there is no such place."""
    if importlib.util.find_spec("torch") and importlib.util.find_spec("cv2"):
        return
    if not ENGINE.is_file() or os.environ.get(AGAIN):
        raise SystemExit("The engine's packages are not here. `python3 build.py demo` makes their environment, .venv-engine.")
    os.environ[AGAIN] = "1"
    os.execv(ENGINE, [str(ENGINE), "-m", "benchmarks", *sys.argv[1:]])
