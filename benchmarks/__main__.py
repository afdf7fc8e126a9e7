# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks TOPIC: one table a topic, kept as JSON in benchmarks/results with machine and date.
It parses arguments and prints; topics are measured in their own modules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import quality, stages

DEFAULT_CLIPS = Path(__file__).resolve().parents[2] / "shared/clips"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Toon Decompose on this machine.")
    topics = parser.add_subparsers(required=True, metavar="TOPIC")
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
    options = parser.parse_args()
    if not Path(options.clips if hasattr(options, "clips") else options.clip).exists():
        print(f"There is nothing at {options.clips if hasattr(options, 'clips') else options.clip}.", file=sys.stderr)
        return 1
    options.run(options)
    return 0


sys.exit(main())
