# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons: one file a topic; an operator is a poll with a reason, one call, one report.
Registers the topics and the session that their jobs run in."""

from __future__ import annotations

import importlib

__all__ = ["register", "unregister"]

_MODULES = (
    "session", "decompose", "job", "engine",
    "importing", "strips", "timing", "color", "placement", "drawings", "render", "character", "character_draw",
)


def register() -> None:
    done = []
    try:
        for name in _MODULES:
            module = importlib.import_module(f".{name}", __package__)
            module.register()
            done.append(module)
    except BaseException:
        for module in reversed(done):
            module.unregister()
        raise


def unregister() -> None:
    for name in reversed(_MODULES):
        importlib.import_module(f".{name}", __package__).unregister()
