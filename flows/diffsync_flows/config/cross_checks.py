"""The declarations of a file, with what is wrong only where parts of it are seen together."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError as PydanticError

from diffsync_flows.config.messages import Location, instead_of
from diffsync_flows.config.schema import Declarations
from diffsync_flows.config.variables import names_in
from diffsync_flows.config.yaml_source import ConfigFault, YamlFile
from diffsync_store import Limits


def read_declarations(file: YamlFile) -> Declarations:
    """The file's content, or all its faults."""
    variables = dict(_misplaced_variables(file.data, ()))
    faults = [file.fault(place, message) for place, message in variables.items()]
    faults += [*_wrong_sides(file), *_repeated_pairs(file)]
    try:
        declared = Declarations.model_validate(file.data)
    except PydanticError as error:
        raise ConfigFault([*file.faults(error, Declarations, without=variables), *faults]) from None
    faults += [*_empty_limits(file, declared), *_late_approvals(file, declared)]
    if faults:
        raise ConfigFault(faults)
    return declared


def _misplaced_variables(data: Any, place: Location) -> Iterator[tuple[Location, str]]:
    if place in {("store", "url"), ("store", "block")} or place[0:1] + place[2:3] == ("adapters", "settings"):
        return
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _misplaced_variables(value, (*place, key))
    elif isinstance(data, str) and (names := names_in(data)):
        yield place, f"${{{names[0]}}}: no variables are taken here, only in the store's url and block, and in settings"


def _empty_limits(file: YamlFile, declared: Declarations) -> Iterator[str]:
    for name, sync in declared.syncs.items():
        changes = sync.guards.change_limits
        limits: dict[Location, Limits] = {("sync",): changes.sync, ("per_model",): changes.per_model}
        limits |= {("models", model): of_model for model, of_model in changes.models.items()}
        for place, of_place in limits.items():
            for action, limit in of_place.by_action():
                if limit.percent is None and limit.absolute is None:
                    told = "limits nothing: give percent, absolute or both, such as {percent: 5}"
                    yield file.fault(("syncs", name, "guards", "change_limits", *place, action), told)


def _late_approvals(file: YamlFile, declared: Declarations) -> Iterator[str]:
    """What is approved must still be there: the diff, and the store of the target."""
    for name, sync in declared.syncs.items():
        lives = {
            "store.ttl": declared.store.ttl,
            "housekeeping.diffs": declared.housekeeping.diffs,
            f"syncs.{name}.retention": sync.retention or declared.store.ttl,
        }
        shortest = min(lives, key=lambda each: lives[each])
        if sync.approval != "never" and sync.approval_timeout > lives[shortest]:
            told = (
                f"{sync.approval_timeout} seconds are longer than what waits for the approval is kept, {lives[shortest]} "
                f"seconds by {shortest}: lower the one or raise the other"
            )
            yield file.fault(("syncs", name, "approval_timeout"), told)


def _wrong_sides(file: YamlFile) -> Iterator[str]:
    adapters = _section(file, "adapters")
    for name, sync in _section(file, "syncs").items():
        for side in ("source", "target"):
            adapter = sync.get(side) if isinstance(sync, dict) else None
            if isinstance(adapter, str) and adapter not in adapters:
                message = f"no adapter {adapter!r} is declared{instead_of(adapter, adapters)}"
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
