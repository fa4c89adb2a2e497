"""The target of test_hosts: a database that pauses in the middle of a sync."""

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Executable

from tests.airports.database import SqlAdapter
from tests.servers import wait_until

GATE_AT = 100
SECONDS = 300.0


class GatedDatabase(SqlAdapter):
    """Before one of its writes, it creates a file and waits for another file, once."""

    class Settings(SqlAdapter.Settings):
        gate: Path

    def __init__(self, *, gate: Path, url: SecretStr | str, **options: Any) -> None:
        super().__init__(url=url, **options)
        self.gate = gate
        self.writes = 0

    def execute(self, statement: Executable, values: dict[str, Any]) -> int:
        self.writes += 1
        if self.writes == GATE_AT and not self.gate.exists():
            self.gate.write_text(str(os.getpid()), "utf-8")
            wait_until(self.gate.with_suffix(".open").exists, SECONDS, "the gate is open")
        return super().execute(statement, values)
