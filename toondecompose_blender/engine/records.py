# SPDX-License-Identifier: GPL-3.0-or-later
"""How what the stages find is laid down in their folders, and read again.
Data only: it knows the shapes of motions, plates and sheets, not how they come about."""

from __future__ import annotations

from dataclasses import fields

from .drawings import ExposureSheet
from .layers.planes_backdrop import Backdrop, FarPlane
from .layers.plate import Canvas, Plate
from .motion import Motion
from .stages import Stage

__all__ = ["save_motion", "load_motion", "save_planes", "load_planes", "save_backdrop", "load_backdrop", "SHEET_FIELDS", "save_sheet",
           "load_sheet"]

SHEET_FIELDS = tuple(field.name for field in fields(ExposureSheet))    # a part of what a stage of sheets is known by


def save_motion(stage: Stage, motion: Motion) -> None:
    stage.save(camera=motion.homographies)
    stage.save_record("motion", {"static": bool(motion.static), "model": motion.model, "confidence": float(motion.confidence),
                                 "reference": int(motion.reference)})


def load_motion(stage: Stage) -> Motion:
    record = stage.record("motion")
    return Motion(stage.load("camera"), record["static"], record["model"], record["confidence"], record["reference"])


def save_planes(stage: Stage, planes: tuple[FarPlane, ...]) -> None:
    for i, plane in enumerate(planes):
        stage.save(**{f"plane_{i}_motion": plane.homographies, f"plane_{i}_opening": plane.opening})
    stage.save_record("planes", {"fractions": [float(plane.fraction) for plane in planes]})


def load_planes(stage: Stage) -> tuple[FarPlane, ...]:
    fractions = stage.record("planes")["fractions"]
    return tuple(FarPlane(stage.load(f"plane_{i}_motion"), fraction, stage.load(f"plane_{i}_opening"))
                 for i, fraction in enumerate(fractions))


def save_backdrop(stage: Stage, backdrop: Backdrop) -> None:
    for i, plate in enumerate(backdrop.plates):
        stage.save(**{f"plate_{i}": plate.picture, f"plate_{i}_seen": plate.seen, f"plate_{i}_motion": plate.canvas.homographies})
    for i, opening in enumerate(backdrop.openings):
        stage.save(**{f"opening_{i}": opening})
    stage.save_record("backdrop", {"plates": len(backdrop.plates)})


def load_backdrop(stage: Stage) -> Backdrop:
    count = stage.record("backdrop")["plates"]
    return Backdrop(tuple(_load_plate(stage, i) for i in range(count)), tuple(stage.load(f"opening_{i}") for i in range(count - 1)))


def _load_plate(stage: Stage, i: int) -> Plate:
    picture = stage.load(f"plate_{i}")
    return Plate(Canvas(picture.shape[1], picture.shape[0], stage.load(f"plate_{i}_motion")), picture, stage.load(f"plate_{i}_seen"))


def save_sheet(stage: Stage, k: int, sheet: ExposureSheet) -> None:
    stage.save(**{f"{name}_{k}": getattr(sheet, name) for name in SHEET_FIELDS})


def load_sheet(stage: Stage, k: int) -> ExposureSheet:
    return ExposureSheet(*(stage.load(f"{name}_{k}") for name in SHEET_FIELDS))
