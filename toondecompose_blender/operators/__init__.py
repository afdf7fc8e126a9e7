# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons: one file a topic; an operator is a poll with a reason, one call, one report.
Registers the topics and the session that their jobs run in."""

from __future__ import annotations

from ..registration import register_all, unregister_all

__all__ = ["register", "unregister"]

_MODULES = (
    "session", "decompose", "submit", "hints", "job", "engine",
    "importing", "strips", "timing", "color", "placement", "drawings", "render", "character", "character_draw",
)


def register() -> None:
    register_all(__package__, _MODULES)


def unregister() -> None:
    unregister_all(__package__, _MODULES)
