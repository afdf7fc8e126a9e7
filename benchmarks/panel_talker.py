# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that only talks: sends as many messages as its last argument says, of kinds that cannot be joined, and then waits.
Must not import the engine, whose own work would disturb what is measured."""

import json
import sys

words = {"warning": {"code": "clip.gaps", "message": "Frames are missing.", "remedy": "Render them again."},
         "progress": {"stage": "Layers", "stage_number": 4, "stage_count": 8, "done": 3, "total": 10, "seconds_left": 61.5},
         "artifact": {"kind": "contact_sheet", "path": "contact_sheet.png"}}
for number in range(int(sys.argv[-1])):
    kind = list(words)[number % len(words)]
    print(json.dumps({"v": 1, "seq": number, "type": kind, **words[kind]}))
sys.stdout.flush()
sys.stdin.readline()
