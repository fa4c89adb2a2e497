"""Two releases of the airport registry, side by side."""

import shutil
import subprocess
import sys
from pathlib import Path

RELEASES = ("20240316.1", "20260905")
SECONDS = 300
PIP_INSTALL = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def install_release(version: str, folder: Path) -> Path:
    """The release's `airports.csv`, from the package index unless it is there already."""
    target = folder / version
    file = target / "airportsdata" / "airports.csv"
    if file.exists():
        return file
    unfinished = folder / f"{version}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [*PIP_INSTALL, "--no-deps", "--target", str(unfinished), f"airportsdata=={version}"]
    subprocess.run(command, check=True, timeout=SECONDS)
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return file
