# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's panels for sprites: the list, timing, color, placement, drawings, rendering.
draw() only reads; each button is another module's operator."""

from __future__ import annotations

import bpy

from .previews import icon_of
from .properties import active_strip
from .scene import drawings, palette, placement, retiming, strips
from .scene.materials import color_group_of
from .scene.sprites import JOB_ID, is_sprite, sprites_of
from .ui_panel import SequencerPanel, ViewPanel, split
from .ui_rows import big_button, button_row, value_row, wrapped

__all__ = ["register", "unregister"]

SWATCHES_IN_A_ROW, MOST_SWATCHES = 4, 16
PICTURE_SCALE = 6.0
HOLDS = (1, 2, 3, 4)


def _sprite(context):
    """The active object if it is a sprite, else None."""
    return context.object if is_sprite(context.object) else None


class TOON_UL_sprites(bpy.types.UIList):
    """The scene's sprites, front-most on top; double click renames."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:
        row = layout.row(align=True)
        row.label(text="", icon_value=icon_of(drawings.drawing_path(item, 1)))
        row.prop(item, "name", text="", emboss=False)
        visible = item.toondecompose_visible
        row.prop(item, "toondecompose_visible", text="", icon="HIDE_OFF" if visible else "HIDE_ON", emboss=False)

    def filter_items(self, context, data, property_name):
        things = list(getattr(data, property_name))
        flags = [self.bitflag_filter_item if is_sprite(thing) else 0 for thing in things]
        front_first = [thing.name for thing in reversed(sprites_of(data))]
        order = [front_first.index(thing.name) if thing.name in front_first else len(things) for thing in things]
        ranks = sorted(range(len(things)), key=lambda index: order[index])
        places = [0] * len(things)
        for place, index in enumerate(ranks):
            places[index] = place
        return flags, places


class TOON_MT_sprite_specials(bpy.types.Menu):
    bl_label = "Sprite Specials"

    def draw(self, context) -> None:
        layout = self.layout
        layout.operator("toon.sprite_solo", icon="SOLO_ON")
        layout.operator("toon.sprite_duplicate", icon="DUPLICATE")
        layout.separator()
        layout.operator_menu_enum("toon.bake", "kind")
        layout.operator_menu_enum("toon.blending", "mode")
        layout.operator("toon.inbetweens").on = True
        layout.separator()
        layout.operator("toon.relink", text="Relink Result...")
        layout.operator("toon.reload", icon="FILE_REFRESH")
        layout.operator("toon.pack", icon="PACKAGE")
        layout.operator("toon.unpack", icon="UGLYPACKAGE")
        layout.operator("toon.import_result", text="Import Result...", icon="IMPORT")


class TOON_PT_sprites(ViewPanel, bpy.types.Panel):
    bl_label, bl_order = "Sprites", 10

    def draw(self, context) -> None:
        layout = self.layout
        if not sprites_of(context.scene):
            layout.label(text="No sprites in this scene")
            layout.operator("toon.import_result", text="Import Result...", icon="IMPORT")
            return
        row = layout.row()
        row.template_list("TOON_UL_sprites", "", context.scene, "objects", context.window_manager.toondecompose, "sprite_index", rows=4)
        side = row.column(align=True)
        side.operator("toon.sprite_move", text="", icon="TRIA_UP").direction = "UP"
        side.operator("toon.sprite_move", text="", icon="TRIA_DOWN").direction = "DOWN"
        side.separator()
        side.menu("TOON_MT_sprite_specials", text="", icon="DOWNARROW_HLT")
        self.draw_lost(context)

    def draw_lost(self, context) -> None:
        """Which sprites miss files, as it was found when the file was opened, and the way to get them back."""
        lost = context.window_manager.toondecompose.lost
        for line in lost.splitlines():
            wrapped(self.layout, context, line, icon_name="ERROR", alert=True)
        if lost:
            row = self.layout.row(align=True)
            row.operator("toon.relink", text="Relink Result...", icon="FILE_FOLDER")
            row.operator("toon.reload", text="", icon="FILE_REFRESH")


class SpritePanel(ViewPanel):
    """A sub-panel on the active sprite."""
    bl_parent_id = "TOON_PT_sprites"

    @classmethod
    def poll(cls, context):
        return bool(sprites_of(context.scene))

    def draw(self, context) -> None:
        layout, sprite = split(self.layout), _sprite(context)
        if sprite is None:
            layout.label(text="Select a sprite")
        else:
            self.draw_sprite(layout, context, sprite)


class TOON_PT_timing(SpritePanel, bpy.types.Panel):
    bl_label = "Timing"

    def draw_sprite(self, layout, context, sprite) -> None:
        layout.prop(sprite, '["source_frame"]', text="Clip Frame")
        row, held = button_row(layout, "Hold"), retiming.hold_of(sprite)
        for step in HOLDS:
            row.operator("toon.hold", text=str(step), depress=step == held).step = step
        row = button_row(layout, "Speed")
        row.operator("toon.speed", text="\N{VULGAR FRACTION ONE HALF}\N{MULTIPLICATION SIGN}").factor = 0.5
        row.operator("toon.speed", text="2\N{MULTIPLICATION SIGN}").factor = 2.0
        row.operator("toon.reverse", text="", icon="ARROW_LEFTRIGHT")
        row = button_row(layout, "Offset")
        row.operator("toon.offset", text="\N{MINUS SIGN}1").frames = -1
        row.operator("toon.offset", text="+1").frames = 1
        row = layout.row(align=True)
        row.operator("toon.freeze", icon="FREEZE")
        row.operator_menu_enum("toon.repeat", "mode", text="Repeat", icon="FILE_REFRESH")
        layout.operator("toon.timing_restore", icon="LOOP_BACK")


class TOON_PT_color(SpritePanel, bpy.types.Panel):
    bl_label = "Color"

    def draw_sprite(self, layout, context, sprite) -> None:
        names = palette.swatch_names(sprite)[:MOST_SWATCHES]
        grid = layout.grid_flow(row_major=True, columns=SWATCHES_IN_A_ROW, even_columns=True, align=False)
        grid.use_property_split = False
        for name in names:
            grid.prop(sprite, f'["{name}"]', text="")
        if not names:
            layout.label(text="This sprite has no palette")
        layout.operator("toon.palette_restore", icon="LOOP_BACK")


class TOON_PT_adjust(SpritePanel, bpy.types.Panel):
    bl_label, bl_parent_id, bl_options = "Adjust", "TOON_PT_color", {"DEFAULT_CLOSED"}

    def draw_sprite(self, layout, context, sprite) -> None:
        group = color_group_of(sprite.data.materials[0])
        for socket in group.inputs:
            if not socket.is_linked:
                layout.prop(socket, "default_value", text=socket.name)
        curves = next((node for node in group.node_tree.nodes if node.type == "CURVE_RGB"), None)
        if curves is not None:
            layout.template_curve_mapping(curves, "mapping", type="COLOR")


class TOON_PT_placement(SpritePanel, bpy.types.Panel):
    bl_label, bl_options = "Placement", {"DEFAULT_CLOSED"}

    def draw_sprite(self, layout, context, sprite) -> None:
        column = layout.column(align=True)
        for name, (owner, identifier) in placement.placement_properties(sprite).items():
            column.prop(owner, identifier, text=name)
        layout.operator("toon.placement_restore", icon="LOOP_BACK")


class TOON_PT_drawings(SpritePanel, bpy.types.Panel):
    bl_label, bl_options = "Drawings", {"DEFAULT_CLOSED"}

    def draw_sprite(self, layout, context, sprite) -> None:
        shown = drawings.drawing_shown(sprite, retiming.shown_frame(sprite, context.scene.frame_current))
        if shown:
            picture = icon_of(drawings.drawing_path(sprite, shown))
            if picture:
                layout.template_icon(picture, scale=PICTURE_SCALE)
        value_row(layout, "Drawing", f"{shown} of {max(sprite['toondecompose_exposure'])}" if shown else "Hidden in this frame")
        layout.operator("toon.drawing_replace", text="Replace Drawing...")
        layout.operator("toon.drawings_open", icon="FILE_FOLDER")


class TOON_PT_render(ViewPanel, bpy.types.Panel):
    bl_label, bl_order = "Render", 20

    @classmethod
    def poll(cls, context):
        return bool(sprites_of(context.scene))

    def draw(self, context) -> None:
        layout, scene = split(self.layout), context.scene
        layout.prop(scene.toondecompose, "output")
        layout.prop(scene.render, "filepath", text="Folder")
        big_button(layout, "toon.render", icon="RENDER_ANIMATION")
        path = scene.render.filepath
        if not path or (path.startswith("//") and not bpy.data.filepath):
            wrapped(layout, context, "Choose an output folder, or save the file", active=False)


class TOON_PT_render_options(ViewPanel, bpy.types.Panel):
    bl_label, bl_parent_id, bl_options = "Options", "TOON_PT_render", {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, scene = split(self.layout), context.scene
        layout.prop(scene.render, "engine")
        layout.prop(scene.toondecompose, "use_sound")


class TOON_PT_sprites_sequencer(SequencerPanel, bpy.types.Panel):
    bl_label = "Sprites"

    @classmethod
    def poll(cls, context):
        strip = active_strip(context)
        return strip is not None and strips.scene_of_job(strip.get(JOB_ID, "")) is not None

    def draw(self, context) -> None:
        layout = self.layout
        sprite = sprites_of(strips.scene_of_job(active_strip(context)[JOB_ID]))[0]
        sheet = icon_of(drawings.drawing_path(sprite, 1).parent.parent / "contact_sheet.png")
        if sheet:
            layout.template_icon(sheet, scale=PICTURE_SCALE)
        column = layout.column(align=True)
        column.operator("toon.show_sprites")
        column.operator("toon.add_strip")


_CLASSES = (TOON_UL_sprites, TOON_MT_sprite_specials, TOON_PT_sprites_sequencer, TOON_PT_sprites, TOON_PT_timing, TOON_PT_color,
            TOON_PT_adjust, TOON_PT_placement, TOON_PT_drawings, TOON_PT_render, TOON_PT_render_options)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
