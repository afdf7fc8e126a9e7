# SPDX-License-Identifier: GPL-3.0-or-later
"""build.py makes its environments on a disk that is too small for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
EMPTY_MB, PACKAGE_MB = 15, 100   # an environment without packages takes about that much


@pytest.fixture(params=[EMPTY_MB // 3, 4 * EMPTY_MB], ids=["no room for pip", "no room for a package"])
def checkout(request, tmp_path):
    """A checkout on a small disk, whose only requirement is larger than the disk."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    shutil.copy(ROOT / "build.py", folder)
    (folder / "requirements").mkdir()
    for name in ("engine", "tests", "farm", "blender"):
        (folder / "requirements" / f"{name}.txt").write_text(f"{large_wheel(tmp_path)}\n", encoding="utf-8")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def large_wheel(folder: Path) -> Path:
    """A valid wheel of little that unpacks to PACKAGE_MB."""
    made = folder / "large-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("large-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: large\nVersion: 1.0\n")
        wheel.writestr("large-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("large-1.0.dist-info/RECORD", "")
        wheel.writestr("large.bin", bytes(PACKAGE_MB << 20))
    return made


def test_a_full_disk_is_named_and_nothing_half_made_stays_on_it(checkout):
    python = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([python, str(checkout / "build.py"), "test"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "The disk is full" in done.stdout and str(checkout) in done.stdout
    assert not list(checkout.glob(".venv*"))
