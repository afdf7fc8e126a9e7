# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sprite may have gone between two frames: rough motions that an alignment starts from.
It knows nothing of how they are judged."""

from __future__ import annotations

import cv2
import numpy as np

from .geometry import translation
from .views import View

__all__ = ["correlate", "stretched", "turned"]

_RADII, _ANGLES = 24, 180  # of the polar pictures in which a turn is looked for: steps of two degrees


def correlate(a: View, b: View, ground: float) -> np.ndarray:
    """The shift (2,) in px, to about two px, under which the whole of b looks most like a; right for cut sprites as well."""
    signals = [cv2.resize(view.laid - np.float32(ground), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for view in (a, b)]
    height, width = np.add(signals[0].shape, signals[1].shape)
    spectra = [np.fft.rfft2(signal, (height, width)) for signal in signals]
    peak = int(np.argmax(np.fft.irfft2(np.conj(spectra[0]) * spectra[1], (height, width))))
    shift = np.array([(peak % width + signals[0].shape[1]) % width - signals[0].shape[1],
                      (peak // width + signals[0].shape[0]) % height - signals[0].shape[0]])
    return 4.0 * shift + b.origin - a.origin


def turned(a: View, b: View, ground: float) -> np.ndarray:
    """The turn (3, 3) about the centers, frame a -> frame b, under which b looks most like a; to about two degrees."""
    spectra = []
    for view in (a, b):
        reach = np.sqrt(view.area)  # a square's corners are .71 of its side away, a disc's border .56
        center = tuple((view.center - view.origin).tolist())
        ring = cv2.warpPolar(view.laid - np.float32(ground), (_RADII, _ANGLES), center, float(reach),
                             cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS)
        spectra.append(np.fft.rfft(ring * np.arange(_RADII, dtype=np.float32), axis=0))
    angle = 2 * np.pi / _ANGLES * int(np.argmax(np.fft.irfft((np.conj(spectra[0]) * spectra[1]).sum(1), _ANGLES)))
    c, s = np.cos(angle), np.sin(angle)
    return translation(*b.center) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ translation(*-a.center)


def stretched(a: View, b: View) -> np.ndarray:
    """The affine map (3, 3) without a turn, frame a -> frame b, that gives mask a the center and the spread of mask b."""
    roots = []
    for view in (a, b):
        moments = cv2.moments(view.mask, binaryImage=True)
        spread = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / max(1.0, moments["m00"])
        values, axes = np.linalg.eigh(spread + np.eye(2) / 12)
        roots.append(axes @ np.diag(np.sqrt(values)) @ axes.T)
    linear = np.eye(3)
    linear[:2, :2] = roots[1] @ np.linalg.inv(roots[0])
    return translation(*b.center) @ linear @ translation(*-a.center)
