# SPDX-License-Identifier: GPL-3.0-or-later
"""What this installation of the engine has, and what is wrong with it.
It only looks; mending is the extension's business."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..protocol import ENGINE_VERSION, PROTOCOL_VERSION
from ..requirements import Requirement, requirements

__all__ = ["Finding", "Examination", "examine"]

ENOUGH_MEMORY = 4 << 30    # bytes; the published test clip at 1280x720 stays below


@dataclass(frozen=True)
class Finding:
    """One line of the report: `ok`, a `warning` that lets work go on, or an `error` that does not; with its remedy."""
    name: str
    value: str
    state: str = "ok"
    remedy: str = ""


@dataclass(frozen=True)
class Examination:
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        return all(finding.state != "error" for finding in self.findings)

    def as_json(self) -> str:
        return json.dumps({"healthy": self.healthy, "findings": [asdict(finding) for finding in self.findings]})

    def as_text(self) -> str:
        marks = {"ok": " ", "warning": "!", "error": "X"}
        return "\n".join(f"{marks[f.state]} {f.name:<24} {f.value}  {f.remedy}".rstrip() for f in self.findings)


def examine() -> Examination:
    """Look at the interpreter, the packages, the device, memory and disk."""
    findings = [Finding("Toon Decompose engine", f"{ENGINE_VERSION}, protocol {PROTOCOL_VERSION}"),
                Finding("Python", f"{platform.python_version()} at {sys.executable}"), Finding("System", platform.platform())]
    findings += [_package(requirement) for requirement in requirements()]
    findings += [_device(), _driver(), _memory(), _movies(), _disk()]
    return Examination(tuple(findings))


def _package(wanted: Requirement) -> Finding:
    try:
        __import__(wanted.module)
        found = version(wanted.name)
    except (ImportError, PackageNotFoundError, OSError) as cause:
        return Finding(wanted.name, f"does not load: {cause}", "error", "Repair the engine in the preferences.")
    if found.partition("+")[0] != wanted.version:       # behind the plus: PyTorch's build
        return Finding(wanted.name, f"{found} instead of {wanted.version}", "warning", "Only the pinned version is tested.")
    return Finding(wanted.name, found)


def _device() -> Finding:
    try:
        import torch
    except (ImportError, OSError):
        return Finding("Device", "unknown without torch", "error", "Repair the engine in the preferences.")
    if not torch.cuda.is_available():
        return Finding("Device", f"CPU, {os.cpu_count()} cores")
    properties = torch.cuda.get_device_properties(0)
    try:
        torch.ones(8, device="cuda").sum().item()       # a card that is seen may still be too old, or its driver, for this build
    except RuntimeError as cause:
        words = str(cause).strip().splitlines()[0]
        return Finding("Device", f"{properties.name} does not compute: {words}", "error", "Choose another build, or CPU, and press Repair.")
    return Finding("Device", f"{properties.name}, {properties.total_memory / 2**30:.1f} GB, CUDA {torch.version.cuda}")


def _driver() -> Finding:
    """The graphics card's driver, whether or not this build of PyTorch uses it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("Driver", "no NVIDIA driver")
    try:
        words = [tool, "--query-gpu=driver_version,name", "--format=csv,noheader"]
        lines = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError) as cause:
        return Finding("Driver", f"does not answer: {cause}", "warning", "Install NVIDIA's driver again; until then the processor is used.")
    return Finding("Driver", "; ".join(line.strip() for line in lines) or "no card")


def _memory() -> Finding:
    if not hasattr(os, "sysconf"):
        return Finding("Memory", "not known on this system")
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    state = "ok" if size >= ENOUGH_MEMORY else "warning"
    return Finding("Memory", f"{size / 2**30:.1f} GB", state, "" if state == "ok" else "Choose Draft, or shorter ranges of frames.")


def _movies() -> Finding:
    try:
        import cv2
    except (ImportError, OSError):
        return Finding("Movies", "unknown without OpenCV", "error", "Repair the engine in the preferences.")
    if any(cv2.videoio_registry.getBackendName(b) == "FFMPEG" for b in cv2.videoio_registry.getStreamBackends()):
        return Finding("Movies", "FFmpeg")
    return Finding("Movies", "no FFmpeg", "warning", "Use folders of pictures instead of movies.")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.home()).free
    return Finding("Free disk", f"{free / 2**30:.1f} GB")
