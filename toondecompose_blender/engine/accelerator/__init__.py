# SPDX-License-Identifier: GPL-3.0-or-later
"""The heavy loops once more, for many frames at once, through torch: for a graphics card, and the same code on a processor.
Whoever has an `Accelerator` may use it; without one nothing here is imported, for torch alone takes seconds to start."""

from .card import Accelerator, planned

__all__ = ["Accelerator", "planned"]
