"""Install two releases of the airport registry."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

RELEASES = ("20240316.1", "20260905")
SECONDS = 300
PIP_INSTALL = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def install_release(version: str, folder: Path) -> Path:
    """Return the path of the release's `airports.csv`; download it from the package index if needed."""
    target = folder / version
    file = target / "airportsdata" / "airports.csv"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=f"{version}-") as unfinished:
        new = Path(unfinished) / "release"
        command = [*PIP_INSTALL, "--no-deps", "--target", str(new), f"airportsdata=={version}"]
        subprocess.run(command, check=True, timeout=SECONDS)
        with suppress(OSError):  # another process installed it first
            new.rename(target)
    return file
