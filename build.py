#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build, try and test Toon Decompose from a checkout: python3 build.py [demo | test] [--help].
Standard library only; it makes the two environments (Blender's side, the engine) and must not import the project."""

from __future__ import annotations

import argparse
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "toondecompose_blender"
DIST = ROOT / "dist"
STAMP = "requirements.sha256"
PARALLEL = ("-n", "2", "--dist", "loadfile")   # for pytest; later words, such as -n 0, overrule them
SPACE_GB = 5   # with room to spare: .venv-engine takes 1.8 GB, .venv 1.0 (measured), and pip unpacks its downloads beside them
LEAST_FREE = 8 << 20    # bytes: with less, a disk is full; an environment without packages takes 15 MB
WINDOWS = os.name == "nt"

# Debian's packages for the desktop libraries that Blender as a module links against.
SYSTEM_LIBRARIES = {
    "libX11.so.6": "libx11-6", "libXrender.so.1": "libxrender1", "libXfixes.so.3": "libxfixes3", "libXi.so.6": "libxi6",
    "libXxf86vm.so.1": "libxxf86vm1", "libxkbcommon.so.0": "libxkbcommon0", "libSM.so.6": "libsm6", "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1", "libEGL.so.1": "libegl1",
}


class BuildError(Exception):
    """Something that the caller can mend; its text says how."""


def say(text: str) -> None:
    print(text, flush=True)


# Interpreters

def version_of(python: str) -> tuple[int, int] | None:
    """(major, minor) of an interpreter that starts and can make environments, else None."""
    probe = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", probe], capture_output=True, text=True, timeout=60)
        return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def find_python(wanted: tuple[int, int]) -> str | None:
    """An interpreter of version `wanted`: this one, one on PATH, or one of pyenv's."""
    name = f"python{wanted[0]}.{wanted[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    on_path = [str(Path(folder, name)) for folder in os.get_exec_path() if Path(folder, name).exists()]
    kept = [str(path) for path in sorted(pyenv.glob(f"{wanted[0]}.{wanted[1]}.*/bin/{name}"), reverse=True)]
    return next((python for python in [sys.executable, *on_path, *kept] if version_of(python) == wanted), None)


def choose_python(variable: str, versions: tuple[tuple[int, int], ...]) -> str:
    """The interpreter named by the environment `variable`, else the first found of `versions`; a clear refusal otherwise."""
    named, allowed = os.environ.get(variable), " or ".join(f"{a}.{b}" for a, b in versions)
    if named:
        if version_of(named) not in versions:
            raise BuildError(f"{variable}={named} is no complete Python {allowed}.")
        return named
    found = next(filter(None, map(find_python, versions)), None)
    if not found:
        raise BuildError(f"Python {allowed} is needed and was not found (this is {sys.version.split()[0]}).\n"
                         "Install it together with its module venv (apt install python3.11 python3.11-venv, or pyenv install 3.11), "
                         f"or set {variable} to its path.")
    return found


# Environments

def venv_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


def requirement_files(path: Path) -> list[Path]:
    """`path` and the files that it includes."""
    included = re.findall(r"^-r (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [path, *(file for name in included for file in requirement_files(path.parent / name))]


def environment(name: str, requirements: list[str], variable: str, versions: tuple[tuple[int, int], ...]) -> Path:
    """The interpreter of environment `name`, made anew when its requirements or its Python changed."""
    files = [file for each in requirements for file in requirement_files(ROOT / "requirements" / each)]
    python = choose_python(variable, versions)
    stamp = hashlib.sha256(b"".join([file.read_bytes() for file in files] + [repr(version_of(python)).encode()])).hexdigest()
    folder = ROOT / name
    try:
        if (folder / STAMP).read_text(encoding="utf-8") == stamp and version_of(str(venv_python(folder))):
            return venv_python(folder)
    except OSError:
        pass
    making = ROOT / (name + ".tmp")
    shutil.rmtree(making, ignore_errors=True)
    say(f"Making {name} with {python}; the first time it downloads packages, which can take minutes.")
    try:
        subprocess.run([python, "-m", "venv", str(making)], check=True)
        install(venv_python(making), [ROOT / "requirements" / each for each in requirements])
        move_environment(making, folder)
    except (BuildError, OSError, subprocess.SubprocessError) as error:
        if not disk_is_full(error):
            raise
        raise BuildError(f"{error}\nThe disk is full. Both environments and what pip unpacks meanwhile need {SPACE_GB} GB in {ROOT} and in "
                         f"{tempfile.gettempdir()}: make room and run the same command again.") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    (folder / STAMP).write_text(stamp, encoding="utf-8")
    return venv_python(folder)


def install(python: Path, requirements: list[Path]) -> None:
    """pip install, with one short line a package instead of pip's own output."""
    command = [str(python), "-m", "pip", "install", "--progress-bar", "off", "--disable-pip-version-check", "--no-color"]
    command += [word for file in requirements for word in ("-r", str(file))]
    tail: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace") as pip:
        for line in pip.stdout:
            tail = [*tail[-30:], line]
            if found := re.match(r"\s*Downloading (?:\S*/)?(\S+?)-(\d[^-\s]*)\S* \(([\d.]+ .?B)\)", line):
                say(f"  downloading {found[1]} {found[2]}, {found[3]}")
            elif line.startswith("Installing collected packages"):
                say(f"  installing {line.count(',') + 1} packages")
    if pip.returncode:
        raise BuildError("pip could not install the packages:\n" + "".join(tail))


def disk_is_full(error: Exception) -> bool:
    """Whether `error` says so, or no room is left: venv itself does not say why it failed."""
    free = min(shutil.disk_usage(folder).free for folder in (ROOT, tempfile.gettempdir()))
    return os.strerror(errno.ENOSPC) in str(error) or free < LEAST_FREE


def move_environment(made: Path, folder: Path) -> None:
    """Put a finished environment into place; its scripts name their interpreter by its absolute path."""
    for script in [*venv_python(made).parent.iterdir(), made / "pyvenv.cfg"]:
        if script.is_file() and not script.is_symlink() and str(made).encode() in (data := script.read_bytes()) and b"\0" not in data:
            script.write_bytes(data.replace(str(made).encode(), str(folder).encode()))
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)


def blender_python() -> Path:
    python = environment(".venv", ["blender.txt"], "TOONDECOMPOSE_BLENDER_PYTHON", ((3, 11), (3, 13)))
    check_system_libraries(python)
    return python


def engine_python() -> Path:
    return environment(".venv-engine", ["engine.txt", "tests.txt", "farm.txt"], "TOONDECOMPOSE_ENGINE_PYTHON", ((3, 11),))


def bpy_folder(python: Path) -> Path:
    where = "import importlib.util; print(importlib.util.find_spec('bpy').submodule_search_locations[0])"
    return Path(subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip())


def check_system_libraries(python: Path) -> None:
    """Name the system packages that Blender as a module misses here, before it fails with the linker's words."""
    if not shutil.which("ldd"):
        return
    linked = subprocess.run(["ldd", str(bpy_folder(python) / "__init__.so")], capture_output=True, text=True).stdout
    missing = re.findall(r"(\S+) => not found", linked)
    if missing:
        packages = " ".join(SYSTEM_LIBRARIES.get(name, name) for name in missing)
        raise BuildError(f"Blender misses system libraries: {', '.join(missing)}.\nInstall them: sudo apt-get install {packages}")


# Commands

def build(options: argparse.Namespace) -> int:
    """dist/toondecompose-<version>.zip, validated, and a static repository folder that Blender can subscribe to."""
    package = build_extension(blender_python(), DIST)
    say(f"{package.relative_to(ROOT)} ({package.stat().st_size // 1024} kB) is valid; {DIST.name}/repository serves it to Blender.")
    return 0


def build_extension(python: Path, folder: Path) -> Path:
    """The zip and the folder `repository` inside `folder`, made by the extension tool of the bpy that `python` has."""
    tool = next(bpy_folder(python).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    version = re.search(r'^version = "(.+)"$', (ROOT / "blender_manifest.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    folder.mkdir(exist_ok=True)
    package, repository = folder / f"toondecompose-{version}.zip", folder / "repository"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        staged = Path(work, "toondecompose")
        shutil.copytree(PACKAGE, staged, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (ROOT / "blender_manifest.toml", ROOT / "LICENSE"):
            shutil.copy(file, staged)
        shutil.copytree(ROOT / "farm", staged / "farm", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "requirements" / "engine.txt", staged / "requirements.txt")
        made = Path(work, package.name)
        run(python, tool, "build", "--source-dir", staged, "--output-filepath", made, quiet=True)
        run(python, tool, "validate", made, quiet=True)
        os.replace(made, package)
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir()
    shutil.copy(package, repository)
    run(python, tool, "server-generate", "--repo-dir", repository, "--html", quiet=True)
    return package


def run(*command, quiet: bool = False) -> None:
    """Run one step from the checkout; its output is shown, or only if it fails."""
    words = [str(word) for word in command]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"}, text=True,
                          stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None)
    if done.returncode:
        raise BuildError(f"{done.stdout or ''}\nThis step failed (exit code {done.returncode}): {' '.join(words[1:])}".strip())


def demo(options: argparse.Namespace) -> int:
    """A clip -> sprites -> a Blender scene -> its render, compared with what the engine promised."""
    engine, blender = engine_python(), blender_python()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    result, scene, render = out / "result", out / "scene.blend", out / "render"
    clip, truth = options.clip, []
    if clip is None:
        say("Drawing the demo clip ...")
        clip = out / "clip"
        run(engine, "-m", "toondecompose_blender.engine", "demo-clip", clip)
        clip, truth = clip / "frames", ["--truth", clip]
    say(f"Decomposing {clip} into {options.sprites} sprites ...")
    run(engine, "-m", "toondecompose_blender.engine", "decompose", Path(clip).resolve(), "--sprites", options.sprites, "--out", result)
    say("Building the Blender scene and rendering it ...")
    run(blender, "-m", "toondecompose_blender.command", "import", result, "--blend", scene)
    shutil.rmtree(render, ignore_errors=True)
    run(blender, "-m", "toondecompose_blender.command", "render", scene, "--out", render)
    run(engine, "-m", "toondecompose_blender.engine", "compare", result, render, *truth)
    for label, path in (("Contact sheet", result / "contact_sheet.png"), ("Preview", result / "preview.mp4"), ("Blender scene", scene),
                        ("Rendered frames", render)):
        say(f"{label + ':':17}{path}")
    return 0


def test(options: argparse.Namespace) -> int:
    """Both sides' tests, each in its environment; the last line is the sum."""
    engine, blender = engine_python(), blender_python()
    totals = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for name, python in (("engine", engine), ("Blender's side", blender)):
        say(f"\n--- Tests of the {name} ({python.parent.parent.name}) ---")
        for key, count in pytest(python, options.pytest_args, engine).items():
            totals[key] += count
    say(", ".join(f"{count} {key}" for key, count in totals.items()))
    return 1 if totals["failed"] or not any(totals.values()) else 0


def pytest(python: Path, arguments: list[str], engine: Path) -> dict[str, int]:
    """Run pytest in one environment (tests/conftest.py picks what belongs to it) and count its outcomes; a crash is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        variables = {**os.environ, "TOONDECOMPOSE_TEST_ENGINE": str(engine), "PYTHONUTF8": "1"}
        done = subprocess.run([python, "-m", "pytest", f"--junitxml={report}", *PARALLEL, *arguments], cwd=ROOT, env=variables)
        suites = ElementTree.parse(report).getroot().findall("testsuite") if report.exists() else []
    ran, failures, errors, skipped = (sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped"))
    failed = failures + errors
    passed = max(0, ran - failed - skipped)
    if done.returncode not in (0, 5) and not failed:  # 5: nothing here for this environment
        failed = 1
    return {"passed": passed, "failed": failed, "skipped": skipped}


def main() -> int:
    parser = argparse.ArgumentParser(description="Build, try and test Toon Decompose. Without a command: build the extension.")
    parser.set_defaults(command=build)
    commands = parser.add_subparsers(title="commands")
    one = commands.add_parser("demo", help="from a clip to sprites in a Blender scene and its render")
    one.add_argument("--clip", type=Path, help="a folder of images or a movie; without it the demo draws its own cartoon")
    one.add_argument("--sprites", default="2", help="how many sprites, the background included, or auto (default 2)")
    one.add_argument("--out", type=Path, default=ROOT / "demo_out", help="where everything goes (default demo_out)")
    one.set_defaults(command=demo)
    two = commands.add_parser("test", help="run all tests in both environments; further words go to pytest", add_help=False)
    two.set_defaults(command=test)
    options, rest = parser.parse_known_args()
    if rest and options.command is not test:
        parser.error(f"unknown: {' '.join(rest)}")
    options.pytest_args = rest
    try:
        return options.command(options)
    except BuildError as error:
        say(f"\n{error}")
    except KeyboardInterrupt:
        say("\nStopped; the same command again continues.")
    except (OSError, subprocess.SubprocessError) as error:
        say(f"\nThis did not work: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
