# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house, read from the syntax trees: who may import whom, what every module begins with, what starts without what.
Must not import the modules that it judges."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "toondecompose_blender"
SOURCES = sorted(PACKAGE.rglob("*.py"))
OWN = [*SOURCES, *(path for folder in ("tests", "benchmarks", "farm") for path in sorted((ROOT / folder).rglob("*.py"))), ROOT / "build.py"]
LICENSE_LINE = "# SPDX-License-Identifier: GPL-3.0-or-later"

# What each part of the package may import: parts of the package, and packages from outside of the standard library.
# torchvision holds the learned flow; it is optional, and only imported when that flow is asked for.
BLENDER = {"bpy", "bpy_extras", "mathutils", "gpu", "blf", "numpy", "bl_operators", "bl_ui"}
ALLOWED = {
    "protocol": (set(), set()),
    "protocol_shots": ({"protocol"}, set()),
    "requirements": (set(), set()),
    "jobs": ({"jobs", "protocol", "protocol_shots", "requirements"}, set()),
    "engine": ({"engine", "protocol", "protocol_shots", "requirements"},
               {"torch", "cv2", "numpy", "numba", "scipy", "maxflow", "tqdm", "natsort", "OpenEXR", "torchvision"}),
    "scene": ({"scene", "jobs", "protocol", "protocol_shots"}, BLENDER),
    "properties": ({"properties", "scene", "jobs", "protocol"}, BLENDER),
    "ui_rows": (set(), BLENDER),
    "previews": (set(), BLENDER),
    "preferences": ({"preferences", "operators", "ui_rows", "jobs", "protocol"}, BLENDER),
    "operators": ({"operators", "registration", "jobs", "scene", "properties", "preferences", "previews", "protocol"}, BLENDER),
    "ui_panel": ({"ui_panel", "ui_rows", "properties"}, BLENDER),
    "ui_hints": ({"ui_panel", "ui_rows", "properties", "scene"}, BLENDER),
    "ui_character": ({"ui_panel", "ui_rows", "previews", "properties", "scene"}, BLENDER),
    "ui_sprites": ({"ui_sprites", "ui_panel", "ui_rows", "previews", "properties", "scene"}, BLENDER),
    "terminal": (set(), set()),
    "command_engine": ({"operators", "preferences", "scene", "jobs", "terminal", "protocol"}, BLENDER),
    "command": ({"command", "command_engine", "terminal", "operators", "preferences", "scene", "jobs", "properties", "protocol"}, BLENDER),
    "registration": (set(), set()),
    "__init__": ({"registration"}, {"bpy"}),
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, "package" or "outside" or "absolute", name) of each import, also those inside of functions."""
    depth = len(path.relative_to(PACKAGE).parts) - 1       # how many dots lead to the package
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield node.lineno, "absolute" if top == PACKAGE.name else "outside", top
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            top = node.module.split(".")[0]
            yield node.lineno, "absolute" if top == PACKAGE.name else "outside", top
        elif isinstance(node, ast.ImportFrom):
            above = depth + 1 - node.level
            names = (node.module or "").split(".") if node.module else []
            if above > 0:
                yield node.lineno, "package", part_of(path)
            else:
                yield from ((node.lineno, "package", name) for name in ([names[0]] if names else [alias.name for alias in node.names]))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_its_part_may(path):
    inside, outside = ALLOWED[part_of(path)]
    for line, kind, name in imports(path):
        assert kind != "absolute", f"{path}:{line} imports {name} absolutely; as an extension the package has another name"
        if kind == "package":
            assert name in inside, f"{path}:{line}: {part_of(path)} may not import {name}"
        elif name not in sys.stdlib_module_names:
            assert name in outside, f"{path}:{line}: {part_of(path)} may not import {name}"


def test_nobody_imports_the_engine():
    for path in SOURCES:
        if part_of(path) != "engine":
            assert ("package", "engine") not in {(kind, name) for _, kind, name in imports(path)}, path


def test_the_engine_never_prints():
    for path in (PACKAGE / "engine").rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_begins_with_its_license_and_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    assert LICENSE_LINE in text.splitlines()[:2]
    tree = ast.parse(text)
    if tree.body:
        lines = (ast.get_docstring(tree) or "").strip().splitlines()
        least = 1 if ROOT / "tests" in path.parents else 2
        assert len(lines) >= least, f"a docstring of {least} lines: the role, and what it must not know"


def test_an_empty_package_file_is_the_only_one_without_docstring():
    bare = [path for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert all(path.name == "__init__.py" for path in bare)


FORBID = """
import sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names!r}:
            raise ImportError(name + ' must not be imported here')
sys.meta_path.insert(0, Forbid())
"""


def run(python: str, script: str) -> subprocess.CompletedProcess:
    return subprocess.run([python, "-c", script], cwd=ROOT, capture_output=True, text=True)


def test_the_engine_starts_where_bpy_cannot_be_imported(engine_python):
    script = FORBID.format(names={"bpy"}) + "import runpy; sys.argv[1:] = ['doctor', '--json']\n" \
        "runpy.run_module('toondecompose_blender.engine', run_name='__main__', alter_sys=True)"
    done = run(engine_python, script)
    assert done.returncode == 0 and '"healthy": true' in done.stdout, done.stderr


def test_the_extension_registers_where_the_engines_packages_cannot_be_imported():
    script = FORBID.format(names={"torch", "cv2", "numba", "scipy"}) + "import bpy, toondecompose_blender as t\n" \
        "t.register(); print(hasattr(bpy.types.Scene, 'toondecompose')); t.unregister(); print(hasattr(bpy.types.Scene, 'toondecompose'))"
    done = run(sys.executable, script)
    assert done.returncode == 0 and done.stdout.split()[-2:] == ["True", "False"], done.stdout + done.stderr


def test_the_package_and_its_jobs_can_be_imported_without_bpy():
    modules = ", ".join(f"toondecompose_blender.jobs.{path.stem}" for path in (PACKAGE / "jobs").glob("[a-z]*.py"))
    script = FORBID.format(names={"bpy", "numpy"}) + f"import toondecompose_blender, {modules}, toondecompose_blender.protocol"
    done = run(sys.executable, script)
    assert done.returncode == 0, done.stderr
