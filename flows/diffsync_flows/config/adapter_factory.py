"""The adapters that the YAML file declares: the classes that it names, their settings, and adapters made of both.

The only place that imports by a name.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from diffsync_flows.config.adapter_arguments import faults_of_arguments
from diffsync_flows.config.schema import AdapterEntry
from diffsync_flows.config.secrets import Secrets
from diffsync_flows.config.settings_reader import Reader
from diffsync_flows.config.yaml_source import ConfigFault, YamlFile
from diffsync_store import Adapter, BaseStore


class AdapterClasses:
    """Imports a class, and reads its settings, only where its adapter is used.

    Args:
        file: where faults are.
        declared: the adapters by their names.
        reader: reads the settings.
        secrets: takes in what is secret in them.
    """

    def __init__(self, file: YamlFile, declared: Mapping[str, AdapterEntry], reader: Reader, secrets: Secrets) -> None:
        self._file = file
        self._declared = declared
        self._reader = reader
        self._secrets = secrets

    def make(self, name: str, store: BaseStore) -> Adapter:
        """The adapter over a store; its system has not been touched yet."""
        adapter_class = self.find(name)
        options = self._settings(name, adapter_class)
        with self._secrets.redacted_errors():
            try:
                return adapter_class(name=name, internal_storage_engine=store, **options)
            except TypeError as error:  # what the adapter passes on to its base class shows only now
                raise self._file.config_fault(("adapters", name, "settings"), str(error)) from error

    def find(self, name: str) -> type[Adapter]:
        """The adapter's class.

        Raises:
            ConfigFault: no such adapter is declared, or its class cannot be imported or is none of an adapter.
        """
        if name not in self._declared:
            raise self._file.unknown("adapter", name, self._declared)
        location = ("adapters", name, "class")
        module_name, class_name = self._declared[name].class_.split(":")
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ImportError as error:
            raise self._file.config_fault(location, f"cannot import {module_name}: {error}") from error
        except (Exception, SystemExit) as error:  # somebody else's module may do anything while it is imported
            told = f"{type(error).__name__}: {error}"
            raise self._file.config_fault(location, f"{module_name} raises while it is imported: {told}") from error
        if not (isinstance(found, type) and issubclass(found, Adapter)):
            raise self._file.config_fault(location, f"{module_name} has no adapter class {class_name}")
        return found

    def check(self, name: str) -> None:
        """Import the class and read the settings of one adapter.

        Raises:
            ConfigFault: one of both is wrong.
        """
        adapter_class = self.find(name)
        try:
            self._settings(name, adapter_class)
        except ConfigFault:
            raise
        except Exception as error:  # its `Settings` are somebody else's; what they raise may hold a secret
            told = f"{adapter_class.__name__}.Settings raises {type(error).__name__}"
            raise self._file.config_fault(("adapters", name, "settings"), told) from error

    def _settings(self, name: str, adapter_class: type[Adapter]) -> dict[str, Any]:
        """The keyword arguments to make the adapter with: checked by its class's `Settings`, where it has one."""
        location = ("adapters", name, "settings")
        settings_class = getattr(adapter_class, "Settings", None)
        if settings_class is None:
            options: dict[str, Any] = self._reader.expand(self._declared[name].settings, location)
            self._secrets.keep(options)
        elif not (isinstance(settings_class, type) and issubclass(settings_class, BaseModel)):
            told = f"{adapter_class.__name__}.Settings is no pydantic model"
            raise self._file.config_fault(("adapters", name, "class"), told)
        else:
            options = dict(self._reader.read(settings_class, location))
            self._secrets.keep_settings(options)
        wrong = list(faults_of_arguments(adapter_class, options))
        if wrong:
            raise ConfigFault(self._file.fault((*location, *filter(None, [word])), told) for word, told in wrong)
        return options
