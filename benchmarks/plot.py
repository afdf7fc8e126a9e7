# SPDX-License-Identifier: GPL-3.0-or-later
"""The kept figures of speed as one picture: stages, scaling, and the engine between the physical floor and the published system.
It reads benchmarks/results/*.json and draws; it measures nothing."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

from .machine import RESULTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PICTURE", "can_plot", "measure"]

PICTURE = Path(__file__).resolve().parents[1] / "docs/pictures/speed.png"
PAPER, INK, FAINT, BLUE, RED = "#f4f4f1", "#22252a", "#b9bbb8", "#3465a4", "#c0562f"   # readable on light pages and on dark ones
STAGES = {"Start": "#9a9c99", "Cuts": "#c9b458", "Frames": "#7fa7a0", "Flow": "#5b8fb9", "Motion": "#3465a4", "Layers": "#6b5b95",
          "Exposure": "#b07aa1", "Plate": "#c0562f", "Drawings": "#e0944c", "Result": "#6a9a4f"}

ORDER = ("violet 360", "violet 720", "violet 720, analyzed at 720", "demo", "240 frames", "1000 frames", "K = 2", "K = 4", "K = 6")


def can_plot() -> bool:
    """Whether the plotting library is here."""
    return importlib.util.find_spec("matplotlib") is not None


def measure(out: Path) -> None:
    """Draw what is kept into `out` (PNG).  Raises `SystemExit` without the library or without figures."""
    if not can_plot():
        raise SystemExit("The picture needs matplotlib: pip install -r requirements/benchmarks.txt")
    kept = {topic: json.loads(path.read_text(encoding="utf-8")) for topic in ("stages", "scaling", "floor", "published")
            if (path := RESULTS / f"{topic}.json").is_file()}
    if missing := {"stages", "scaling"} - kept.keys():
        raise SystemExit(f"Nothing is kept of {' and '.join(sorted(missing))}: measure first.")
    draw(kept, out)
    print(f"Drew {out}.")


def draw(kept: dict[str, dict], out: Path) -> None:
    """`kept`: what `machine.keep` wrote, by topic; stages and scaling are needed, floor and published are drawn if they are there."""
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot
    style = {"figure.facecolor": PAPER, "axes.facecolor": PAPER, "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK,
             "xtick.color": INK, "ytick.color": INK, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with pyplot.rc_context(style):
        figure = pyplot.figure(figsize=(11, 9.5), layout="constrained")
        grid = figure.add_gridspec(3, 3, height_ratios=(1.5, 1, 1))
        _stages(figure.add_subplot(grid[0, :]), kept["stages"]["figures"])
        series = kept["scaling"]["figures"]
        for column, name in enumerate(name for name in ("frames", "pixels", "sprites") if name in series):
            _scaling(figure.add_subplot(grid[1, column]), name, series[name], "alone", "seconds", BLUE)
        for column, name in enumerate(name for name in ("frames", "pixels") if name in series):
            _scaling(figure.add_subplot(grid[2, column]), name, series[name], "peak_gb", "peak memory, GB", RED)
        _between(figure.add_subplot(grid[2, 2]), kept)
        machine = kept["stages"]["machine"]
        figure.suptitle(f"Toon Decompose on {machine['cores']} cores ({machine['memory_gb']:.0f} GB, no GPU), {machine['date']}; "
                        "seconds alone on the machine, estimated (see benchmarks/results)", fontsize=10)
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=110, metadata={"Software": None})
        pyplot.close(figure)


def _stages(axes: Axes, cases: dict[str, dict]) -> None:
    """A bar a clip, from left to right its stages."""
    cases = {name: cases[name] for name in (*filter(cases.get, ORDER), *(name for name in cases if name not in ORDER))}
    for row, case in enumerate(cases.values()):
        left = 0.0
        for stage in case["stages"]:
            axes.barh(row, stage["alone"], left=left, height=0.7, color=STAGES.get(stage["name"], FAINT),
                      label=stage["name"] if row == 0 else None)
            left += stage["alone"]
        axes.text(left, row, f" {left:.0f} s, {case['peak_gb']:.1f} GB", va="center")
    axes.set_yticks(range(len(cases)), [_clip(name, case) for name, case in cases.items()])
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("seconds")
    axes.set_title("Where the time goes, and peak memory", loc="left", fontweight="bold")
    axes.legend(ncols=2, frameon=False, loc="lower right")


def _clip(name: str, case: dict) -> str:
    return f"{name}\n{case['frames']} x {case['width']}x{case['height']}"


def _scaling(axes: Axes, name: str, series: dict, key: str, unit: str, color: str) -> None:
    """What was measured, both axes logarithmic, beside a line of direct proportion through the last point."""
    amounts, values = [point["amount"] for point in series["points"]], [point[key] for point in series["points"]]
    axes.plot(amounts, [values[-1] * amount / amounts[-1] for amount in amounts], "--", color=FAINT, label="in proportion")
    axes.plot(amounts, values, "o-", color=color, label="engine")
    axes.set_xscale("log")
    axes.set_yscale("log")
    many = name == "pixels"
    axes.set_xticks(amounts, [f"{amount / 1e6:.2f}" if many else str(amount) for amount in amounts])
    axes.set_yticks(values[::max(1, len(values) - 1)], [f"{value:.3g}" for value in values[::max(1, len(values) - 1)]])
    axes.minorticks_off()
    axes.set_xlabel("megapixels (log)" if many else f"{name} (log)")
    axes.set_ylabel(f"{unit} (log)")
    axes.set_title(series["fixed"], loc="left", fontsize=8)
    axes.legend(frameon=False, fontsize=8)


def _between(axes: Axes, kept: dict[str, dict]) -> None:
    """The same clip three ways, on a logarithmic axis; dots, because the length of a bar would say nothing there."""
    rows = []
    if floor := kept.get("floor", {}).get("figures", {}).get("violet 720"):
        rows.append(("floor: decode, one pass, encode", floor["seconds"], INK))
    if violet := kept["stages"]["figures"].get("violet 720"):
        rows.append(("Toon Decompose at 720 lines", violet["alone"], BLUE))
    if published := kept.get("published", {}).get("figures", {}).get("cpu"):
        name = f"published loops at 256 lines, {published['timed_steps']} steps\nof each timed and multiplied"
        rows.append((name, published["seconds"], RED))
    for row, (name, seconds, color) in enumerate(rows):
        axes.plot(seconds, row, "o", color=color, markersize=9)
        words = f"{seconds / 3600:.0f} h" if seconds > 7200 else f"{seconds:.3g} s"
        axes.text(0.02, row + 0.18, f"{name}: {words}", transform=axes.get_yaxis_transform(), va="top", fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.2, -0.5)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_xlabel("seconds (log)")
    axes.set_title("violet, the same machine", loc="left", fontsize=8)
