# SPDX-License-Identifier: GPL-3.0-or-later
"""Recoloring: swatches change their regions and nothing else, adjustments do what their names say."""

import colorsys

import bpy
import numpy as np
import pytest
import results
from palettes import COLORS, recolor, shaded, write_fox
from reference import expected, psnr, rendered

from toondecompose_blender.scene import blending, materials, palette, repainting
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.versions import eevee_engine


@pytest.fixture
def folder(tmp_path):
    return write_fox(tmp_path)


@pytest.mark.parametrize("engine", ["CYCLES", "EEVEE"])
def test_a_swatch_changes_its_region_as_numpy_does(folder, tmp_path, engine):
    imported = import_result(folder)
    scene, fox = bpy.data.scenes[imported.scene], bpy.data.objects[imported.sprites[1]]
    scene.render.engine = eevee_engine() if engine == "EEVEE" else engine
    fox["color_2"] = [0.9, 0.75, 0.1]
    fox.update_tag()
    frames = (2,) if engine == "EEVEE" else (1, 2)
    for frame in frames:
        reference = expected(folder, frame, edit=recolor(2, (0.9 * 255, 0.75 * 255, 0.1 * 255)))
        assert psnr(reference, expected(folder, frame)) < 30
        assert psnr(rendered(scene, tmp_path / "out", frame)[0], reference) > (65 if engine == "EEVEE" else 75)


def test_swatches_find_the_regions_of_a_repainted_drawing(folder, tmp_path):
    imported = import_result(folder)
    scene, fox = bpy.data.scenes[imported.scene], bpy.data.objects[imported.sprites[1]]
    repainted, index = shaded(7)
    results.write_png(tmp_path / "new.png", repainted)
    repainting.replace_drawing(fox, 2, tmp_path / "new.png")
    fox["color_2"] = [0.9, 0.75, 0.1]
    fox.update_tag()

    def edit(name, drawing, homography):
        if name == "fox":
            drawing = repainted.astype(float)
            drawing[index == 2, :3] += np.array((0.9 * 255, 0.75 * 255, 0.1 * 255)) - COLORS[1]
        return drawing, homography
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(folder, 2, edit=edit)) > 75


def test_untouched_swatches_change_nothing_and_restoring_undoes(folder, tmp_path):
    imported = import_result(folder)
    scene, fox = bpy.data.scenes[imported.scene], bpy.data.objects[imported.sprites[1]]
    assert psnr(rendered(scene, tmp_path / "out", 1)[0], expected(folder, 1)) > 77
    fox["color_1"] = [0.0, 1.0, 0.0]
    assert palette.is_recolored(fox)
    palette.restore_palette(fox)
    assert not palette.is_recolored(fox)
    assert psnr(rendered(scene, tmp_path / "out", 1)[0], expected(folder, 1)) > 77


def test_swatches_show_their_share_and_original_color(folder):
    fox = bpy.data.objects[import_result(folder).sprites[1]]
    assert palette.swatch_names(fox) == ["color_1", "color_2", "color_3"]
    ui = fox.id_properties_ui("color_2").as_dict()
    assert ui["subtype"] == "COLOR_GAMMA" and "30%" in ui["description"]
    assert ui["default"] == pytest.approx([channel / 255 for channel in COLORS[1]])


def test_tint_opacity_and_hue_do_what_numpy_does(folder, tmp_path):
    imported = import_result(folder)
    scene, fox = bpy.data.scenes[imported.scene], bpy.data.objects[imported.sprites[1]]
    inputs = materials.color_group_of(fox.data.materials[0]).inputs
    inputs["Tint"].default_value = (0.5, 1.0, 0.75, 1.0)
    inputs["Opacity"].default_value = 0.6
    # A hue shift turns after the lookup, so it is compared on flat color: a half turn of hue is exact there.
    assert psnr(rendered(scene, tmp_path / "out", 1)[0], expected(folder, 1, edit=tinted)) > 75
    inputs["Tint"].default_value, inputs["Opacity"].default_value = (1, 1, 1, 1), 1.0
    inputs["Hue"].default_value = 0.75
    red, green, blue = hue_at_middle(scene, tmp_path)
    before = colorsys.rgb_to_hsv(*(expected(folder, 1)[30, 60]))
    after = colorsys.rgb_to_hsv(red, green, blue)
    assert (after[0] - before[0]) % 1 == pytest.approx(0.25, abs=0.01)


def tinted(name, drawing, homography):
    return (drawing * (0.5, 1.0, 0.75, 0.6) if name == "fox" else drawing), homography


def hue_at_middle(scene, tmp_path):
    return rendered(scene, tmp_path / "hue", 1)[0][30, 60]


def test_keyed_curves_bend_the_values_at_their_frames(folder, tmp_path):
    imported = import_result(folder)
    color = materials.color_group_of(bpy.data.objects[imported.sprites[1]].data.materials[0])
    mapping = next(node for node in color.node_tree.nodes if node.type == "CURVE_RGB").mapping
    for curve in mapping.curves[:3]:
        curve.points[0].location, curve.points[1].location = (0.0, 0.2), (1.0, 0.7)
        for point in curve.points:
            point.handle_type = "VECTOR"
    mapping.update()
    for frame, amount in ((1, 0.0), (3, 1.0)):
        color.inputs["Curves"].default_value = amount
        color.inputs["Curves"].keyframe_insert("default_value", frame=frame)
    first, _, third = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 1, 3)

    def edit(name, drawing, homography):
        return (drawing * (0.5, 0.5, 0.5, 1) + (51, 51, 51, 0) if name == "fox" else drawing), homography
    assert psnr(first, expected(folder, 1)) > 75 and psnr(third, expected(folder, 3, edit=edit)) > 65


def test_a_keyed_tint_is_rendered_at_its_frames(folder, tmp_path):
    imported = import_result(folder)
    material = bpy.data.objects[imported.sprites[1]].data.materials[0]
    tint = materials.color_group_of(material).inputs["Tint"]
    for frame, color in ((1, (1, 1, 1, 1)), (3, (0.5, 1.0, 0.75, 1))):
        tint.default_value = color
        tint.keyframe_insert("default_value", frame=frame)
    first, _, third = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 1, 3)

    def edit(name, drawing, homography):
        return (drawing * (0.5, 1.0, 0.75, 1) if name == "fox" else drawing), homography
    assert psnr(first, expected(folder, 1)) > 75 and psnr(third, expected(folder, 3, edit=edit)) > 75


def test_scene_linear_keeps_opaque_colors_and_mixes_edges_in_light(folder, tmp_path):
    imported = import_result(folder, blending="linear")
    scene = bpy.data.scenes[imported.scene]
    assert blending.blending_of(scene) == "linear" and scene.view_settings.view_transform == "Standard"
    linear, exact = rendered(scene, tmp_path / "out", 1)[0], expected(folder, 1)
    difference = np.abs(linear - exact).max(2)
    assert np.median(difference) < 1e-3 and difference.max() > 0.02
    blending.set_blending(scene, "display")
    assert psnr(rendered(scene, tmp_path / "out", 1)[0], exact) > 75
