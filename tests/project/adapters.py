"""Adapters for the files of these tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field, PostgresDsn, SecretBytes, SecretStr, field_validator

from diffsync_store import Adapter, DiffSyncModel


class Item(DiffSyncModel):
    _modelname = "item"
    _identifiers = ("name",)
    _attributes = ("value",)

    name: str
    value: str = ""


class PlainAdapter(Adapter):
    """Takes keyword arguments, and has no Settings."""

    item = Item
    top_level: ClassVar[list[str]] = ["item"]

    def __init__(
        self, name: str | None = None, internal_storage_engine: Any = None, *, label: Any = "", objects: int = 3
    ) -> None:
        super().__init__(name, internal_storage_engine)
        self.label = label
        self.objects = objects

    def load(self) -> None:
        for number in range(self.objects):
            self.add(Item(name=f"item {number}"))


class OpenAdapter(PlainAdapter):
    """Its signature accepts any argument, but the base class does not."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)


class DemandingAdapter(Adapter):
    def __init__(self, *, file: str, **options: Any) -> None:
        super().__init__(**options)
        self.file = file


class SettledAdapter(Adapter):
    class Settings(BaseModel, extra="forbid"):
        folder: Path
        timeout: float = Field(30, gt=0)
        token: SecretStr = SecretStr("")

    def __init__(self, *, folder: Path, timeout: float, token: SecretStr, **options: Any) -> None:
        super().__init__(**options)
        self.folder, self.timeout, self.token = folder, timeout, token


class OpenSettings(SettledAdapter):
    """Its Settings would ignore an unknown key."""

    class Settings(BaseModel):
        folder: Path
        timeout: float = Field(30, gt=0, alias="time_limit")
        token: SecretStr = SecretStr("")


class NamedSettings(BaseModel, extra="forbid"):
    url: str


class NamesItsSettings(Adapter):
    Settings = NamedSettings

    def __init__(self, *, url: str, **options: Any) -> None:
        super().__init__(**options)
        self.url = url


class ForgetfulAdapter(Adapter):
    """Declares a setting that its `__init__` does not accept."""

    class Settings(BaseModel, extra="forbid"):
        url: str

    def __init__(self, name: str, internal_storage_engine: Any) -> None:
        super().__init__(name, internal_storage_engine)


class LeakySettings(Adapter):
    class Settings(BaseModel, extra="forbid"):
        password: str

        @field_validator("password")
        @classmethod
        def _is_long(cls, password: str) -> str:
            raise ValueError(f"{password} is too short")


class OddSettings(Adapter):
    class Settings(BaseModel):
        anything: object = None

        def __init__(self, **data: object) -> None:
            raise KeyError("s3cr3t")


class PlainSettings(Adapter):
    class Settings:
        """Not a pydantic model."""


class Login(BaseModel):
    user: str
    token: SecretStr


class SecretiveAdapter(Adapter):
    class Settings(BaseModel):
        folder: str
        password: str
        logins: list[Login]
        by_site: dict[str, SecretBytes]
        database: PostgresDsn
        note: str

    def __init__(self, *args: Any, **options: Any) -> None:
        self.settings = self.Settings(**{name: options.pop(name) for name in self.Settings.model_fields})
        super().__init__(*args, **options)


class ListedShards(PlainAdapter):
    """Loads the shards that the file lists."""

    def load_shard(self, name: str, of: Sequence[str]) -> None:
        assert name in of
        self.add(Item(name=f"item of {name}"))


class FoundShards(ListedShards):
    """Says which shards its system has."""

    def shards(self) -> Sequence[str]:
        return ["north", "south"]


SHARDED: list[dict[str, str]] = []
"""Records of a function's adapter."""
