"""Small wheels made on the fly, and virtual environments that borrow the tests' own packages."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

OWN_PACKAGES = sysconfig.get_path("purelib")
"""Where pytest, numpy and the others are that the tests run with."""


def make_wheel(folder: Path, name: str, version: str, code: str) -> Path:
    """Write a pure wheel that holds one module of its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{one},,\n" for one in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


class BorrowingEnvironment:
    """A virtual environment that imports the tests' packages after its own."""

    def __init__(self, folder: Path, *wheels: Path, paths: tuple[Path, ...] = ()) -> None:
        venv.create(folder, symlinks=os.name == "posix")
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        lines = [OWN_PACKAGES, *map(str, paths)]
        (site / "borrowed.pth").write_text("".join(f"{line}\n" for line in lines))
        if wheels:
            self.install(*wheels)

    def install(self, *what: Path) -> None:
        """Install wheels, or projects from their folders, without what they depend on."""
        words = ("-m", "pip", "--python", str(self.python), "install", "-q", "--no-index")
        subprocess.run(
            [sys.executable, *words, "--no-deps", "--no-build-isolation", *map(str, what)],
            check=True,
            capture_output=True,
        )
