"""Create the adapters that a file declares.

No other module imports a class that a file names.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import new_class
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from diffsync_store.adapter import Adapter
from diffsync_store.adapters import MappedAdapter, adapter_class
from diffsync_store.adapters.shards import AUTO, WrongShards
from diffsync_store.exceptions import ObjectStoreWrongType
from diffsync_store.mapping import RecordMapping
from diffsync_store.model import DiffSyncModel
from diffsync_store.project.diffsync_adapters import accepted, create, is_adapter_class, is_of_diffsync
from diffsync_store.project.errors import ConfigError, Problem
from diffsync_store.project.messages import suggestion
from diffsync_store.project.models import DeclaredModels
from diffsync_store.project.records import DeclaredRecords
from diffsync_store.project.relative_paths import with_absolute_paths
from diffsync_store.project.schema import AdapterEntry
from diffsync_store.project.secrets import Secrets
from diffsync_store.project.settings import SettingsReader
from diffsync_store.project.yaml_file import YamlFile
from diffsync_store.store import BaseStore
from diffsync_store.store.load_report import ObjectKey
from diffsync_store.store.local import LocalStore
from diffsync_store.store.shards.plan import make_plan

M = TypeVar("M", bound=BaseModel)

RESERVED = ("name", "internal_storage_engine")
"""Arguments that every adapter gets from the project."""


class AdapterFactory:
    """Create the adapters of one file.

    A class is imported, and its settings are read, only when its adapter is used.

    Args:
        file: the file.
        declared: the adapters by name.
        models: the models of the file.
        reader: reads the settings.
        secrets: collects the secrets among the settings.
    """

    def __init__(
        self,
        file: YamlFile,
        declared: Mapping[str, AdapterEntry],
        models: DeclaredModels,
        reader: SettingsReader,
        secrets: Secrets,
    ) -> None:
        self._file = file
        self._declared = declared
        self.models = models
        self._reader = reader
        self._secrets = secrets

    def make(self, name: str, store: BaseStore) -> Adapter:
        """Create an adapter that loads into a store.

        Raises:
            ConfigError: it is not declared, its class cannot be imported, or its settings do not fit.
        """
        found = self.find(name)
        return self._create(name, found, self._arguments(name, found), store)

    def shards(self, name: str, adapter: Adapter) -> dict[str, list[ObjectKey]]:
        """Return the shards of an adapter; see `BaseProject.shards`."""
        declared = self._declared[name].shards
        if declared is None:
            return {}
        asks = declared == AUTO or isinstance(adapter, MappedAdapter)
        with self._secrets.redacted_errors():
            try:
                plan = make_plan(adapter.shards() if asks else list(declared), "", adapter.store._object_key)
            except (ValueError, TypeError, ObjectStoreWrongType) as error:
                raise self._file.error(("adapters", name, "shards"), str(error)) from error
        return {shard: list(plan.below.get(shard, ())) for shard in plan.names}

    def _create(self, name: str, found: type[Adapter], arguments: Mapping[str, Any], store: BaseStore) -> Adapter:
        with self._secrets.redacted_errors():
            try:
                if is_of_diffsync(found):
                    return cast("Adapter", create(found, name, store, arguments))
                return found(name=name, internal_storage_engine=store, **arguments)
            except TypeError as error:  # a base class may refuse an argument that the class passes on
                raise self._file.error(("adapters", name, "settings"), str(error)) from error
            except ValueError as error:
                if not issubclass(found, MappedAdapter):
                    raise
                if isinstance(error, WrongShards):
                    raise self._file.error(("adapters", name, "shards"), str(error)) from error
                raise self._file.error(
                    ("adapters", name, "records", *self._model_in(name, error)), str(error)
                ) from error

    def _model_in(self, name: str, error: Exception) -> list[str]:
        """Return the model that an error of a ready adapter names, if it names one."""
        records = self._declared[name].records or {}
        return [word for word in re.findall(r"'(\w+)'", str(error)) if word in records][:1]

    def find(self, name: str) -> type[Adapter]:
        """Import an adapter's class.

        Raises:
            ConfigError: the adapter is not declared, or its class cannot be imported or is not an adapter.
        """
        if name not in self._declared:
            raise self._file.undeclared("adapter", name, self._declared)
        entry = self._declared[name]
        if entry.type is None:
            return self._import(name, str(entry.class_))
        try:
            return adapter_class(entry.type)
        except ImportError as error:
            raise self._file.error(("adapters", name, "type"), str(error)) from error

    def _import(self, name: str, path: str) -> type[Adapter]:
        location = ("adapters", name, "class")
        module_name, class_name = path.split(":")
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ModuleNotFoundError as error:
            remedy = "Install its package, or add its folder to PYTHONPATH."
            raise self._file.error(location, f"cannot import {module_name}: {error}. {remedy}") from error
        except ImportError as error:
            raise self._file.error(location, f"cannot import {module_name}: {error}") from error
        except (Exception, SystemExit) as error:  # the import runs code of the user
            message = f"importing {module_name} raised {type(error).__name__}: {error}"
            raise self._file.error(location, message) from error
        if not is_adapter_class(found):
            raise self._file.error(location, f"{module_name} has no adapter class {class_name}")
        return cast("type[Adapter]", found)  # or one of diffsync, which has the same methods

    def check(self, name: str) -> None:
        """Import the class of an adapter and check its settings; no object of your own class is created.

        Raises:
            ConfigError: the class or the settings are wrong.
        """
        found = self.find(name)
        try:
            arguments = self._arguments(name, found)
        except ConfigError:
            raise
        except Exception as error:  # validators are code of the user; their message may contain a secret
            message = f"{found.__name__}.Settings raised {type(error).__name__}"
            raise self._file.error(("adapters", name, "settings"), message) from error
        self._check_shards(name, found)
        if found.__init__.__module__.startswith("diffsync_store.adapters."):  # it contacts no system
            self._create(name, found, arguments, LocalStore())

    def _check_shards(self, name: str, found: type[Adapter]) -> None:
        """Check that an own class can load the shards that the file declares."""
        declared = self._declared[name].shards
        needed = {"load_shard", "shards"} if declared == AUTO else {"load_shard"} if declared is not None else set()
        missing = [
            method for method in sorted(needed) if getattr(found, method, None) in {None, getattr(Adapter, method)}
        ]
        if missing:
            message = f"{found.__name__} has no method `{missing[0]}`. Define it, or remove `shards`."
            raise self._file.error(("adapters", name, "shards"), message)
        if isinstance(declared, Mapping) and not issubclass(found, MappedAdapter):
            message = f"{found.__name__} knows itself what its shards have. List only their names."
            raise self._file.error(("adapters", name, "shards"), message)

    def model_names(self, name: str) -> list[str]:
        """Return the names of an adapter's models.

        Raises:
            ConfigError: the adapter is not declared, or its class cannot be imported or is not an adapter.
        """
        found = self.find(name)
        if issubclass(found, MappedAdapter):
            return [model for model, mapping in self._records(name, found).items() if not mapping.lookup_only]
        return found._get_initial_value_order()

    def model(self, name: str, model: str) -> type[DiffSyncModel] | None:
        """Return the class of an adapter's model; None if it is known only when the adapter is created."""
        found = self.find(name)
        classes = self.models.classes() if issubclass(found, MappedAdapter) else {}
        known = classes.get(model) or getattr(found, model, None)
        return known if isinstance(known, type) and hasattr(known, "_attributes") else None

    def records(self, name: str) -> Mapping[str, RecordMapping] | None:
        """Return the records that a ready adapter declares, by model; None for another adapter.

        Raises:
            ConfigError: the adapter's class cannot be imported, or its records do not fit.
        """
        found = self.find(name)
        return self._records(name, found) if issubclass(found, MappedAdapter) else None

    def _records(self, name: str, found: type[MappedAdapter]) -> dict[str, RecordMapping]:
        return DeclaredRecords(self._file, name, self._declared[name], found, self.models.classes()).mappings

    def _arguments(self, name: str, found: type[Adapter]) -> dict[str, Any]:
        """Return the keyword arguments for the class."""
        if issubclass(found, MappedAdapter):
            return self._declared_arguments(name, found)
        if self._declared[name].records is not None:
            message = (
                f"{found.__name__} reads no declared records. Remove records, or derive the class from a ready adapter, such as "
                "diffsync_store.adapters.sql.SqlAdapter."
            )
            raise self._file.error(("adapters", name, "records"), message)
        return self._settings(name, found)

    def _declared_arguments(self, name: str, found: type[MappedAdapter]) -> dict[str, Any]:
        """Return settings, models and records for a ready adapter; the problems of all three come together."""
        arguments: dict[str, Any] = {}
        problems: list[Problem] = []
        parts: dict[str, Callable[[], Any]] = {
            "settings": lambda: self._validated(name, found.Settings),
            "records": lambda: self._records(name, found),
        }
        for part, read in parts.items():
            try:
                arguments[part] = read()
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        shards = self._declared[name].shards
        return {**arguments, "models": self.models.classes(), **({} if shards is None else {"shards": shards})}

    def _settings(self, name: str, found: type[Adapter]) -> dict[str, Any]:
        """Return the settings, validated by the class's `Settings` model if it has one."""
        model = getattr(found, "Settings", None)
        if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
            message = f"{found.__name__}.Settings is not a pydantic model. Derive it from pydantic.BaseModel."
            raise self._file.error(("adapters", name, "class"), message)
        settings = self._expanded(name) if model is None else dict(self._validated(name, model))
        problems = list(self._argument_problems(name, found, settings))
        if problems:
            raise ConfigError(problems)
        return settings

    def _expanded(self, name: str) -> dict[str, Any]:
        settings: dict[str, Any] = self._reader.expand(self._declared[name].settings, ("adapters", name, "settings"))
        self._secrets.add(settings)  # without a model, any of them may be secret
        return settings

    def _validated(self, name: str, model: type[M]) -> M:
        location = ("adapters", name, "settings")
        settings = self._reader.read(_forbidding_extra(model), location, prepare=partial(self._prepared, model))
        self._secrets.add_settings(settings)
        return settings

    def _prepared(self, model: type[BaseModel], settings: dict[str, Any]) -> dict[str, Any]:
        return with_absolute_paths(model, settings, self._file.path.absolute().parent)

    def _argument_problems(self, name: str, found: type[Adapter], settings: Mapping[str, Any]) -> Iterator[Problem]:
        location = ("adapters", name, "settings")
        for key in RESERVED:
            if key in settings:
                yield self._file.problem(
                    (*location, key), "reserved: every adapter gets this argument from the project"
                )
        given = {key: value for key, value in settings.items() if key not in RESERVED}
        signature = inspect.signature(found)
        takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
        for key in () if takes_any else [key for key in given if key not in signature.parameters]:
            del given[key]
            known = [key for key in signature.parameters if key not in RESERVED]
            message = f"unknown setting of {found.__name__}{suggestion(key, known, 'Known settings')}"
            yield self._file.problem((*location, key), message)
        try:
            reserved = accepted(found, RESERVED) if is_of_diffsync(found) else RESERVED
            signature.bind(**dict.fromkeys(reserved), **given)
        except TypeError as error:
            yield self._file.problem(location, f"{found.__name__}: {error}")


def _forbidding_extra(model: type[M]) -> type[M]:
    """Return a model that refuses unknown keys, unless the class configures `extra`."""
    if "extra" in model.model_config:
        return model
    return new_class(model.__name__, (model,), {"extra": "forbid"})
