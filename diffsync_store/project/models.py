"""The models that a file declares."""

from collections.abc import Mapping
from threading import Lock

from diffsync_store.adapters import MappedModel
from diffsync_store.mapping import InvalidModels, ModelDefinition, build_models
from diffsync_store.project.errors import ConfigError
from diffsync_store.project.yaml_file import YamlFile


class DeclaredModels:
    """The model classes of one file; all its adapters share them. Threads may share it.

    Args:
        file: the file.
        definitions: the models by name.
    """

    def __init__(self, file: YamlFile, definitions: Mapping[str, ModelDefinition]) -> None:
        self._file = file
        self._definitions = definitions
        self._lock = Lock()
        self._classes: dict[str, type[MappedModel]] | None = None

    def classes(self) -> dict[str, type[MappedModel]]:
        """Return the classes by the names of the models.

        Raises:
            ConfigError: the models do not fit each other.
        """
        with self._lock:
            if self._classes is None:
                self._classes = self._build()
            return self._classes

    def _build(self) -> dict[str, type[MappedModel]]:
        try:
            return build_models(self._definitions, MappedModel)
        except InvalidModels as error:
            problems = [self._file.problem(("models", *place), message) for place, message in error.problems]
            raise ConfigError(problems) from None
