# SPDX-License-Identifier: GPL-3.0-or-later
"""Plane motions of a clip: of the background, and of rigid drawings inside their masks.
It turns frames and flow into homographies; it must not know about plates, mattes or drawings."""

from .background import background_motion, refine_motion
from .motion import Motion, standing
from .parallax import rear_motion
from .rigid import rigid_motion

__all__ = ["Motion", "background_motion", "rear_motion", "refine_motion", "rigid_motion", "standing"]
