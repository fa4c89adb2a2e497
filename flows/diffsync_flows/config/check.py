"""What is otherwise found only where it is used: everything of a file that is wrong, all at once."""

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial

from diffsync_flows.config.config import Config
from diffsync_flows.config.yaml_source import ConfigFault


def check_file(config: Config) -> None:
    """Every class, setting and variable of a file that could be read; the store is not reached.

    Raises:
        ConfigFault: with a line for each fault.
    """
    faults = [
        *_faults_of(config.store_settings),
        *(fault for name in config.adapters for fault in _faults_of(partial(config.classes.check, name))),
        *(fault for name in config.syncs for fault in _unknown_models(config, name)),
        *_missing_folder(config),
    ]
    if faults:
        raise ConfigFault(faults)


def _unknown_models(config: Config, name: str) -> Iterator[str]:
    """Guards of models that neither side has."""
    sync = config.syncs[name]
    try:
        sides = [config.classes.find(side) for side in (sync.source, sync.target)]
    except ConfigFault:
        return
    known = sorted({model for side in sides for model in side._get_initial_value_order()})
    told = {
        ("change_limits", "models"): sync.guards.change_limits.models,
        ("completeness", "allow_partial"): sync.guards.completeness.allow_partial,
        ("completeness", "allow_empty"): sync.guards.completeness.allow_empty,
    }
    for place, models in told.items():
        for model in sorted({*models} - {*known}):
            message = f"neither {sync.source} nor {sync.target} has a model {model!r}; there are {', '.join(known)}"
            yield config.file.fault(("syncs", name, "guards", *place), message)


def _missing_folder(config: Config) -> Iterator[str]:
    folder = config.declared.metrics.textfile
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112  # says no also where pathlib raises
        told = f"{folder!r} is no folder on {socket.gethostname()}: make it, as on every host of a worker"
        yield config.file.fault(("metrics", "textfile"), told)


def _faults_of(part: Callable[[], object]) -> tuple[str, ...]:
    try:
        part()
    except ConfigFault as error:
        return error.faults
    return ()
