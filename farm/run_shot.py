# SPDX-License-Identifier: GPL-3.0-or-later
"""python run_shot.py NUMBER [--talk openjd] [--tied]: do one shot of the folder that this file was written into.
Every farm calls this; it knows where the package lies, not what a farm is.  TOONDECOMPOSE_PACKAGE names another place."""

import os
import runpy
import sys
from pathlib import Path

PACKAGE_PARENT = ""
PACKAGE_NAME = ""

if __name__ == "__main__":
    place = Path(os.environ.get("TOONDECOMPOSE_PACKAGE") or Path(PACKAGE_PARENT, PACKAGE_NAME))
    sys.path.append(str(place.parent))
    number, *options = sys.argv[1:]
    sys.argv[1:] = [str(Path(__file__).resolve().parent / "shots" / f"{int(number):03d}"), *options]
    runpy.run_module(f"{place.name}.jobs.task", run_name="__main__", alter_sys=True)
