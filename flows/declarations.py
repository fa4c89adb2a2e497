"""What may stand in the YAML file, as pydantic models; variables are still as they are written."""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, SecretStr, StringConstraints
from pydantic import ValidationError as PydanticError

from diffsync_store import DiffSyncFlags, Guards
from flows.yaml_file import ConfigFault, YamlFile

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


def known_flag(name: str) -> str:
    if name not in DiffSyncFlags.__members__:
        raise ValueError(f"no such flag; there are {', '.join(DiffSyncFlags.__members__)}")
    return name


class Declaration(BaseModel):
    """A part of the file: a word that is not known is a fault."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class StoreSettings(Declaration):
    """Where stores and diffs live."""

    url: SecretStr
    ttl: PositiveInt = 604800
    """Seconds after its last use at which a store or a diff expires."""


class AdapterEntry(Declaration):
    """An adapter: its class as `module:Class`, and the settings that it is made with."""

    class_: ImportPath = Field(alias="class")
    settings: dict[str, Any] = Field({}, repr=False)


class SyncEntry(Declaration):
    """A source, a target, and how the one is brought into the other."""

    source: str
    target: str
    flags: list[Annotated[str, AfterValidator(known_flag)]] = ["CONTINUE_ON_FAILURE"]
    guards: Guards = Field(Guards(), description="What a sync must not do")

    @property
    def combined_flags(self) -> DiffSyncFlags:
        return reduce(or_, (DiffSyncFlags[name] for name in self.flags), DiffSyncFlags.NONE)


class Declarations(Declaration):
    """The whole file."""

    store: StoreSettings
    adapters: dict[Name, AdapterEntry] = {}
    syncs: dict[Name, SyncEntry] = {}


def read_declarations(file: YamlFile) -> Declarations:
    """The file's content, or all its faults."""
    faults = [*_wrong_sides(file), *_repeated_pairs(file)]
    try:
        declared = Declarations.model_validate(file.data)
    except PydanticError as error:
        raise ConfigFault([*file.faults(error), *faults]) from None
    if faults:
        raise ConfigFault(faults)
    return declared


def _wrong_sides(file: YamlFile) -> Iterator[str]:
    adapters = _section(file, "adapters")
    for name, sync in _section(file, "syncs").items():
        for side in ("source", "target"):
            adapter = sync.get(side) if isinstance(sync, dict) else None
            if isinstance(adapter, str) and adapter not in adapters:
                message = f"no adapter {adapter!r} is declared; there are {', '.join(adapters) or 'none'}"
                yield file.fault(("syncs", name, side), message)
        if isinstance(sync, dict) and "target" in sync and sync.get("source") == sync["target"]:
            yield file.fault(("syncs", name, "target"), "is the source too")


def _repeated_pairs(file: YamlFile) -> Iterator[str]:
    """A diff knows its two adapters, not the sync's name: the pair must lead to one sync's flags."""
    first: dict[tuple[str, str], str] = {}
    for name, sync in _section(file, "syncs").items():
        if not isinstance(sync, dict) or not {"source", "target"} <= sync.keys():
            continue
        earlier = first.setdefault((str(sync["source"]), str(sync["target"])), name)
        if earlier != name:
            yield file.fault(("syncs", name), f"has the same source and target as {earlier}")


def _section(file: YamlFile, name: str) -> dict[str, Any]:
    section = file.data.get(name) if isinstance(file.data, dict) else None
    return section if isinstance(section, dict) else {}
