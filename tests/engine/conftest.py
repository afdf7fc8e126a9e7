# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the engine share: OpenCV as the engine sets it, with frames side by side instead of threads inside a frame.
It must not know any clip, nor need the engine's packages to be read: Blender's side reads it when a test here is named."""

import pytest


@pytest.fixture
def one_thread_a_frame():
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)
