# SPDX-License-Identifier: GPL-3.0-or-later
"""On what a figure was measured, and where figures are kept.
It measures nothing itself."""

from __future__ import annotations

import json
import os
import platform
from datetime import date
from pathlib import Path

__all__ = ["machine", "keep"]

RESULTS = Path(__file__).parent / "results"


def machine() -> dict:
    """Cores, memory, system and versions: what a reader needs to judge a figure."""
    import cv2
    import numpy
    import torch
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {"date": date.today().isoformat(), "cores": len(os.sched_getaffinity(0)), "memory_gb": round(memory, 1),
            "system": platform.platform(), "python": platform.python_version(), "torch": torch.__version__,
            "numpy": numpy.__version__, "opencv": cv2.__version__, "device": device}


def keep(topic: str, figures: object) -> Path:
    """Write the figures of a topic as JSON beside the machine they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{topic}.json"
    path.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path
