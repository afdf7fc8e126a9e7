# SPDX-License-Identifier: GPL-3.0-or-later
"""All speed topics one after another: what `python -m benchmarks` does without a topic.
It says what cannot run here and why; the figures are the topics' own."""

from __future__ import annotations

from pathlib import Path

from . import floor, plot, published, scaling, stages

__all__ = ["measure"]


def measure(clips: Path, *, quick: bool) -> None:
    """Print a table a topic; a topic's figures are kept as soon as it is done, so the work may be stopped at any time."""
    if not quick:
        print("Stages, scaling, the physical floor and the published system's loops: about 25 minutes on two cores. Each table is kept.")
    stages.measure(clips, only=[], quick=quick)
    scaling.measure(only=[], quick=quick)
    floor.measure(clips, quick=quick)
    published.measure(clips, device="auto", quick=quick)
    if not quick and plot.can_plot():
        plot.measure(plot.PICTURE)
