"""The target of the hosts' sync: a database that stops in the middle, and that can be asked what it has."""

import os
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr
from sqlalchemy import Executable, select

from flows.adapters.sql import SqlAdapter, SqlAirport, SqlCountry, SqlRow, SqlSubdivision, is_row
from tests.servers import wait_until

GATE_AT = 100
SECONDS = 120.0


class LookedUp(SqlRow):
    """What became of an operation whose answer nobody heard is seen in the table."""

    @classmethod
    def lookup(cls, adapter: Any, ids: dict[str, Any]) -> dict[str, Any] | None:
        with adapter.engine.connect() as connection:
            key = {f"key_{name}": value for name, value in ids.items()}
            row = connection.execute(select(cls.table).where(*is_row(cls.table)), key).mappings().one_or_none()
        return None if row is None else {name: row[name] for name in cls._attributes}


class Country(SqlCountry, LookedUp):
    pass


class Subdivision(SqlSubdivision, LookedUp):
    pass


class Airport(SqlAirport, LookedUp):
    pass


class GatedDatabase(SqlAdapter):
    """Before one of its writes it says in a file that it is in the middle, and waits for another file; once."""

    class Settings(SqlAdapter.Settings):
        gate: Path

    country = Country
    subdivision = Subdivision
    airport = Airport
    top_level: ClassVar[list[str]] = ["country"]

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
