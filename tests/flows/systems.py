"""Adapters of slow and unreliable systems, which the flows load."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import httpx
from pydantic import BaseModel, SecretStr

from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.runs import OpenWindow


class Item(DiffSyncModel):
    _modelname = "item"
    _identifiers = ("name",)
    _attributes = ("value",)

    name: str
    value: str = ""


class PlainAdapter(Adapter):
    """Written for diffsync: it takes keyword arguments and has no Settings."""

    item = Item
    top_level: ClassVar[list[str]] = ["item"]

    def __init__(self, *args: Any, label: Any = "", objects: int = 3, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label = label
        self.objects = objects

    def load(self) -> None:
        for number in range(self.objects):
            self.add(Item(name=f"item {number}"))


class CountedItem(Item):
    """Its system is a file with a line for each create. It is slow while a file with the suffix `.slow` exists."""

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        end = time.monotonic() + (0.3 if len(adapter.lines()) < 3 else 5)
        while adapter.file.with_suffix(".slow").exists() and time.monotonic() < end:
            time.sleep(0.05)
        with adapter.file.open("a", encoding="utf-8") as lines:
            lines.write(f"{ids['name']}\n")
        return super().create(adapter, ids, attrs)

    @classmethod
    def lookup(cls, adapter: Any, ids: dict[str, Any]) -> dict[str, Any] | None:
        return {"value": ""} if ids["name"] in adapter.lines() else None


class CountingAdapter(PlainAdapter):
    """Starts empty, and records its creates in a file."""

    item = CountedItem

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)

    def lines(self) -> list[str]:
        return self.file.read_text("utf-8").splitlines() if self.file.exists() else []

    def load(self) -> None:
        for name in self.lines():
            self.add(self.item(name=name))


class ClosingItem(CountedItem):
    """The window closes after the first create, in the process that makes it."""

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        if not adapter.lines():
            mock.patch.object(OpenWindow, "is_closed", new=True).start()
        return super().create(adapter, ids, attrs)


class ClosingAdapter(CountingAdapter):
    """Its window closes once, while it is written to."""

    item = ClosingItem


class LostItem(CountedItem):
    """Cannot be found while a file with the suffix `.lost` exists."""

    @classmethod
    def lookup(cls, adapter: Any, ids: dict[str, Any]) -> dict[str, Any] | None:
        return None if adapter.file.with_suffix(".lost").exists() else super().lookup(adapter, ids)


class LosingAdapter(CountingAdapter):
    """Does not find what it has created."""

    item = LostItem


class KeptItem(CountedItem):
    """A delete removes the line of its item."""

    def delete(self) -> Any:
        adapter: Any = self.adapter
        left = [line for line in adapter.lines() if line != self.name]
        adapter.file.write_text("".join(f"{line}\n" for line in left), "utf-8")
        return super().delete()


class KeptAdapter(CountingAdapter):
    """Records its deletes too."""

    item = KeptItem


class HeldAdapter(CountingAdapter):
    """Counts its loads in a file with the suffix `.loads`, and waits in each while a file with the suffix `.hold` exists.

    With `objects`, it loads this many instead of the records of its file.
    """

    def __init__(self, *, objects: int = 0, **kwargs: Any) -> None:
        super().__init__(objects=objects, **kwargs)

    def load(self) -> None:
        with self.file.with_suffix(".loads").open("a", encoding="utf-8") as lines:
            lines.write("load\n")
        end = time.monotonic() + 600
        while self.file.with_suffix(".hold").exists() and time.monotonic() < end:
            time.sleep(0.1)
        for name in [f"item {number}" for number in range(self.objects)] or self.lines():
            self.add(self.item(name=name))


class SkippedItem(Item):
    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:  # noqa: ARG003  # it does nothing
        return None


class LazyAdapter(PlainAdapter):
    """Is empty, and skips every create."""

    item = SkippedItem

    def load(self) -> None:
        """Load nothing."""


class SlowAdapter(PlainAdapter):
    """Writes a file in the middle of its load, and ends the load when a file with the suffix `.open` exists."""

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)

    def load(self) -> None:
        self.expect(self.item, 10)
        super().load()
        self.store.flush()
        self.file.write_text("in the middle")
        end = time.monotonic() + 600
        while not self.file.with_suffix(".open").exists() and time.monotonic() < end:
            time.sleep(0.1)


class RegionsAdapter(PlainAdapter):
    """Three regions with ten items each. A region is loaded when there is no file REGION.wait, and fails while there is a file
    REGION.fail. Each load of it adds the id of its process to the file REGION.loads.
    """

    def __init__(self, *, folder: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = Path(folder)

    def shards(self) -> dict[str, Any]:
        return {name: [("item", f"{name} {number}") for number in range(10)] for name in ("eu", "us", "asia")}

    def load_shard(self, name: str, of: Sequence[str]) -> None:  # a shard need not know the others
        self.folder.mkdir(exist_ok=True)
        with (self.folder / f"{name}.loads").open("a", encoding="utf-8") as loads:
            loads.write(f"{os.getpid()}\n")
        self.expect(self.item, 10)
        for number in range(10):
            self.add(Item(name=f"{name} {number}"))
        self.store.flush()
        end = time.monotonic() + 600
        while (self.folder / f"{name}.wait").exists() and time.monotonic() < end:
            time.sleep(0.1)
        if (self.folder / f"{name}.fail").exists():
            raise ValueError(f"{name} does not answer {self.label}")


class FlakyAdapter(PlainAdapter):
    """Loses its connection in the middle of its first load."""

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)

    def load(self) -> None:
        super().load()
        if not self.file.exists():
            self.file.write_text("tried")
            raise ConnectionResetError("the other side has gone")


class ServedAdapter(PlainAdapter):
    """Its system is a web service, whose address is in a file."""

    def __init__(self, *, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)

    def load(self) -> None:
        super().load()
        found = httpx.get(self.file.read_text("utf-8"), trust_env=False, timeout=100)
        found.raise_for_status()
        for name in found.json():
            self.add(self.item(name=name))


class RefusingAdapter(PlainAdapter):
    """Its system refuses the password until a file exists; the error contains the password."""

    class Settings(BaseModel):
        url: SecretStr
        file: Path

    def __init__(self, *, url: SecretStr, file: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.url = url
        self.file = file

    def load(self) -> None:
        super().load()
        if not self.file.exists():
            raise PermissionError(f"401 for {self.url.get_secret_value()}")


class RejectingAdapter(PlainAdapter):
    """Rejects a record with a message that contains the password, and expects more records than it gets."""

    def load(self) -> None:
        self.expect(Item, 5)
        super().load()
        with self.rejecting(Item, "<b>bad</b>", {"name": "bad", "password": self.label, "url": f"x?key={self.label}"}):
            raise ValueError(f"401 for {self.label}")
