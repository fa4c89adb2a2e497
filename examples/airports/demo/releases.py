"""Two releases of the airport registry, side by side."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

RELEASES = ("20240316.1", "20260905")
SECONDS = 300
PIP_INSTALL = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def install_release(version: str, folder: Path) -> Path:
    """The release's `airports.csv`, from the package index unless it is there already."""
    target = folder / version
    file = target / "airportsdata" / "airports.csv"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=f"{version}-") as unfinished:
        made = Path(unfinished) / "made"
        command = [*PIP_INSTALL, "--no-deps", "--target", str(made), f"airportsdata=={version}"]
        subprocess.run(command, check=True, timeout=SECONDS)
        with suppress(OSError):  # another process was faster
            made.rename(target)
    return file
