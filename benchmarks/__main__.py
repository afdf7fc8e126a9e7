# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks TOPIC: one table a topic, kept as JSON in benchmarks/results with machine and date.
It parses arguments and prints; topics are measured in their own modules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import character, edges, motion, panel, quality, scene, shots, stages

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_CLIPS = ROOT.parent / "shared/clips"


def main() -> int:
    """Measure one topic; returns 0, or 1 if the clips are not there."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Toon Decompose on this machine.")
    topics = parser.add_subparsers(required=True, metavar="TOPIC")
    _add_engine_topics(topics)
    _add_blender_topics(topics)
    options = parser.parse_args()
    needed = getattr(options, "clips", None) or getattr(options, "clip", None)
    if needed is not None and not needed.exists():
        print(f"There is nothing at {needed}.", file=sys.stderr)
        return 1
    options.run(options)
    return 0


def _add_engine_topics(topics: argparse._SubParsersAction) -> None:
    """What needs the engine's environment alone."""
    topic = topics.add_parser("quality", help="score every clip that has a truth, with its true number of sprites")
    topic.add_argument("--clips", type=Path, default=DEFAULT_CLIPS, help="folder of clips (default: shared/clips beside the checkout)")
    topic.add_argument("--only", nargs="*", default=[], metavar="NAME")
    topic.add_argument("--auto", action="store_true", help="let the engine find the number of sprites")
    topic.add_argument("--keep", type=Path, metavar="DIR", help="keep the results here, and use what is finished there")
    topic.set_defaults(run=lambda options: quality.measure(options.clips, only=options.only, auto=options.auto, keep=options.keep))
    topic = topics.add_parser("stages", help="seconds of every stage and peak memory of one decomposition")
    topic.add_argument("clip", type=Path)
    topic.add_argument("--sprites", default="2")
    topic.add_argument("--size", type=int)
    topic.set_defaults(run=lambda options: stages.measure(options.clip, sprites=options.sprites, lines=options.size))
    topic = topics.add_parser("edges", help="hair, fades, flashes, blur and grain on drawn clips")
    topic.add_argument("--only", nargs="*", default=[], metavar="CLIP")
    topic.add_argument("--pictures", type=Path, metavar="DIR", help="write enlarged pictures to look at")
    topic.set_defaults(run=lambda options: edges.measure(only=options.only, pictures=options.pictures))
    topic = topics.add_parser("shots", help="cuts found and missed on the clips and on clips joined of them; memory beside its estimate")
    topic.add_argument("--clips", type=Path, default=DEFAULT_CLIPS, help="folder of clips (default: shared/clips beside the checkout)")
    topic.add_argument("--memory", action="store_true", help="decompose some clips for their peaks, too (minutes)")
    topic.set_defaults(run=lambda options: shots.measure(options.clips, memory=options.memory))
    topic = topics.add_parser("motion", help="how exact cameras, rigid sprites and exposure sheets of drawn clips are found")
    topic.add_argument("--only", nargs="*", default=[], metavar="KIND")
    topic.add_argument("--frames", type=int, default=20, help="of every camera and rigid sprite (default: %(default)s)")
    topic.set_defaults(run=lambda options: motion.measure(only=options.only, frames=options.frames))


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
