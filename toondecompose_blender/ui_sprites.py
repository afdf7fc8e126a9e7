# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's panels for sprites: the list, timing, color, placement, drawings, rendering.
draw() only reads; each button is another module's operator."""

from __future__ import annotations

import bpy

register, unregister = bpy.utils.register_classes_factory(())
