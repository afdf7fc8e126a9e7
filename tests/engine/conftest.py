# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the engine share: OpenCV as the engine sets it, with frames side by side instead of threads inside a frame.
It must not know any clip."""

import pytest

cv2 = pytest.importorskip("cv2", reason="these tests need the engine's packages")


@pytest.fixture
def one_thread_a_frame():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)
