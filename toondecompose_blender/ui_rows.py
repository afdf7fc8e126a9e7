# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that the sidebar and the preferences share: values, buttons, wrapped text, icons of other Blenders.
Drawing only; it must not know jobs or sprites."""

from __future__ import annotations

import blf
import bpy

__all__ = ["value_row", "button_row", "big_button", "wrapped", "icon"]

FONT_POINTS = 11
# Units of the region that panels, tabs and (with one) an icon take from a line of text; measured in a window of Blender 5.2.
MARGIN, MARGIN_WITH_ICON = 62, 88
# Blender up to 5.0 has no status icons; these say the same.
OLDER_ICONS = {"STATUS_WARNING": "ERROR", "STATUS_ERROR": "CANCEL"}


def icon(name: str) -> str:
    """`name`, or an icon of the same meaning where this Blender lacks it."""
    known = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
    return name if name in known else OLDER_ICONS.get(name, "NONE")


def value_row(layout, label: str, value: str, icon_name: str = "NONE"):
    """A read-only row on the columns of property split."""
    split = layout.split(factor=0.4)
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=label)
    split.label(text=value, icon=icon(icon_name))
    return split


def button_row(layout, label: str = ""):
    """A row of joined buttons on the right column of property split."""
    split = layout.split(factor=0.4)
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=label)
    return split.row(align=True)


def big_button(layout, idname: str, **options):
    """The one button of a panel that starts its work."""
    row = layout.row()
    row.scale_y = 1.5
    return row.operator(idname, **options)


def wrapped(layout, context, text: str, *, icon_name: str = "NONE", alert: bool = False, active: bool = True) -> None:
    """Text in as many lines as the region's width asks for."""
    column = layout.column(align=True)
    column.alert, column.active = alert, active
    scale = context.preferences.system.ui_scale
    room = context.region.width - (MARGIN if icon_name == "NONE" else MARGIN_WITH_ICON) * scale
    blf.size(0, FONT_POINTS * scale)
    for number, line in enumerate(_lines(text, room)):
        mark = icon(icon_name) if number == 0 else "BLANK1"
        column.label(text=line, icon=mark if icon_name != "NONE" else "NONE")


def _lines(text: str, room: float) -> list[str]:
    """`text` broken at spaces so that each line fits into `room` pixels; a longer word stands alone."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and blf.dimensions(0, longer)[0] > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
