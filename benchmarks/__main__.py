# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks TOPIC: one table a topic, kept as JSON in benchmarks/results with machine and date; no topic: all of speed.
It parses arguments and prints; topics are measured in their own modules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .interpreter import use_engine

use_engine()

from . import (  # noqa: E402
    character, costs, cuda, edges, floor, hints, long, motion, panel, plot, published, quality, scaling, scene, shots, speed, stages)

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_CLIPS = ROOT.parent / "shared/clips"


def main() -> int:
    """Measure one topic; returns 0, or 1 if the clips are not there."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Toon Decompose on this machine. Without a topic: stages, "
                                     "scaling, floor and published, which is about 25 minutes on two cores.")
    _add_clips(parser)
    parser.add_argument("--quick", action="store_true", help="without a topic: tiny clips, nothing kept")
    parser.set_defaults(run=lambda options: speed.measure(options.clips, quick=options.quick))
    topics = parser.add_subparsers(metavar="TOPIC")
    _add_speed_topics(topics)
    _add_engine_topics(topics)
    _add_blender_topics(topics)
    options = parser.parse_args()
    needed = getattr(options, "clip", None) or (options.clips if getattr(options, "needs_clips", False) else None)
    if needed is not None and not needed.exists():
        print(f"There is nothing at {needed}.", file=sys.stderr)
        return 1
    options.run(options)
    return 0


def _add_clips(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clips", type=Path, default=DEFAULT_CLIPS, help="folder of clips (default: shared/clips beside the checkout)")


def _add_speed_topics(topics: argparse._SubParsersAction) -> None:
    """Time and memory."""
    topic = topics.add_parser("stages", help="seconds, use of the cores and peak memory of every stage")
    topic.add_argument("clip", type=Path, nargs="?", help="a clip of your own (default: violet, the demo and drawn clips)")
    topic.add_argument("--sprites", type=int, default=2, help="of the clip of your own (default: %(default)s)")
    topic.add_argument("--size", type=int, help="lines at which the clip of your own is analyzed")
    topic.add_argument("--only", nargs="*", default=[], metavar="CASE")
    _add_clips(topic)
    topic.set_defaults(run=lambda options: stages.measure_clip(options.clip, sprites=options.sprites, lines=options.size)
                       if options.clip else stages.measure(options.clips, only=options.only))
    topic = topics.add_parser("scaling", help="how time and memory grow with frames, pixels and sprites")
    topic.add_argument("--only", nargs="*", default=[], metavar="SERIES", choices=[series.name for series in scaling.SERIES])
    topic.set_defaults(run=lambda options: scaling.measure(only=options.only))
    topic = topics.add_parser("floor", help="decode, one pass over the pixels, encode: what nothing goes below")
    _add_clips(topic)
    topic.set_defaults(run=lambda options: floor.measure(options.clips))
    topic = topics.add_parser("published", help="the published system's inner loops, a few steps of each, on this machine")
    topic.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    _add_clips(topic)
    topic.set_defaults(run=lambda options: published.measure(options.clips, device=options.device))
    topic = topics.add_parser("costs", help="the functions in which a decomposition's time goes")
    topic.add_argument("clip", type=Path)
    topic.add_argument("--sprites", type=int, default=2)
    topic.add_argument("--size", type=int, help="lines at which the clip is analyzed")
    topic.set_defaults(run=lambda options: costs.measure(options.clip, sprites=options.sprites, lines=options.size))
    topic = topics.add_parser("cuda", help="the graphics card beside the processor: seconds, and how far their results are apart")
    _add_clips(topic)
    topic.set_defaults(run=lambda options: cuda.measure(options.clips))
    topic = topics.add_parser("plot", help="the kept figures of speed as one picture (needs requirements/benchmarks.txt)")
    topic.add_argument("out", type=Path, nargs="?", default=plot.PICTURE, help="default: docs/pictures/speed.png")
    topic.set_defaults(run=lambda options: plot.measure(options.out))


def _add_engine_topics(topics: argparse._SubParsersAction) -> None:
    """What needs the engine's environment alone."""
    topic = topics.add_parser("quality", help="score every clip that has a truth, with its true number of sprites")
    _add_clips(topic)
    topic.add_argument("--only", nargs="*", default=[], metavar="NAME")
    topic.add_argument("--auto", action="store_true", help="let the engine find the number of sprites")
    topic.add_argument("--keep", type=Path, metavar="DIR", help="keep the results here, and use what is finished there")
    topic.add_argument("--preset", default="standard", help="the engine's --preset (default: %(default)s)")
    topic.set_defaults(run=lambda options: quality.measure(options.clips, only=options.only, auto=options.auto, keep=options.keep,
                                                           preset=options.preset), needs_clips=True)
    topic = topics.add_parser("hints", help="what each kind of hint does for the sprites that are found worst")
    _add_clips(topic)
    topic.add_argument("--only", nargs="*", default=[], metavar="NAME")
    topic.add_argument("--keep", type=Path, metavar="DIR", help="keep the results here")
    topic.set_defaults(run=lambda options: hints.measure(options.clips, only=options.only, keep=options.keep), needs_clips=True)
    topic = topics.add_parser("edges", help="hair, fades, flashes, blur and grain on drawn clips")
    topic.add_argument("--only", nargs="*", default=[], metavar="CLIP")
    topic.add_argument("--pictures", type=Path, metavar="DIR", help="write enlarged pictures to look at")
    topic.set_defaults(run=lambda options: edges.measure(only=options.only, pictures=options.pictures))
    topic = topics.add_parser("shots", help="cuts found and missed on the clips and on clips joined of them; memory beside its estimate")
    _add_clips(topic)
    topic.add_argument("--memory", action="store_true", help="decompose some clips for their peaks, too (minutes)")
    topic.set_defaults(run=lambda options: shots.measure(options.clips, memory=options.memory), needs_clips=True)
    topic = topics.add_parser("motion", help="how exact cameras, rigid sprites and exposure sheets of drawn clips are found")
    topic.add_argument("--only", nargs="*", default=[], metavar="KIND")
    topic.add_argument("--frames", type=int, default=20, help="of every camera and rigid sprite (default: %(default)s)")
    topic.set_defaults(run=lambda options: motion.measure(only=options.only, frames=options.frames))
    topic = topics.add_parser("long", help="memory and seconds a frame of longer and longer drawn clips")
    topic.add_argument("--frames", type=int, nargs="+", default=[120, 360], help="of each clip (default: 120 360)")
    topic.add_argument("--size", type=int, nargs=2, default=[1920, 1080], metavar="PX", help="width and height (default: 1920 1080)")
    topic.set_defaults(run=lambda options: long.measure(size=tuple(options.size), frames=options.frames))


def _add_blender_topics(topics: argparse._SubParsersAction) -> None:
    """What also needs an interpreter that has bpy."""
    topic = topics.add_parser("scene", help="Blender's speed, and how near its renders come to the engine's recomposition")
    topic.add_argument("results", type=Path, nargs="*", metavar="RESULT", help="default: of the demo clip and three clips, made now")
    topic.add_argument("--blender", type=Path, nargs="+", default=[ROOT / ".venv/bin/python"], metavar="PYTHON",
                       help="interpreters that have bpy (default: .venv)")
    topic.add_argument("--frames", type=int, default=4, help="frames to render and compare each time (default: %(default)s)")
    topic.add_argument("--clips", type=Path, dest="folder", default=DEFAULT_CLIPS, help="folder of clips (default: shared/clips)")
    topic.set_defaults(run=lambda options: scene.measure([path.resolve() for path in options.results], blenders=options.blender,
                                                         frames=options.frames, clips=options.folder))
    topic = topics.add_parser("panel", help="what an artist waits for: polls, the first progress, Cancel, the end of Blender")
    topic.add_argument("--blender", type=Path, default=ROOT / ".venv/bin/python", metavar="PYTHON", help="an interpreter that has bpy")
    topic.add_argument("--rounds", type=int, default=20, help="starts and cancels (default: %(default)s)")
    topic.set_defaults(run=lambda options: panel.measure(blender=options.blender, rounds=options.rounds))
    topic = topics.add_parser("character", help="CoNR against the published loop, and color transfer against a rig's own render")
    topic.add_argument("--blender", type=Path, default=ROOT / ".venv/bin/python", metavar="PYTHON", help="an interpreter that has bpy")
    topic.add_argument("--sizes", type=int, nargs="*", default=[256, 512], metavar="PX", help="of CoNR; none measures transfer alone")
    topic.add_argument("--scene", type=Path, metavar="DIR", help="made by benchmarks.character_scene (default: made now)")
    topic.set_defaults(run=lambda options: character.measure(blender=options.blender, sizes=options.sizes, scene=options.scene))


sys.exit(main())
