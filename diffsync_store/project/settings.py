"""Read the parts of a file in which variables are expanded."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from diffsync_store.project.errors import ConfigError, Location, Problem
from diffsync_store.project.secrets import Secrets
from diffsync_store.project.validation import problems_of
from diffsync_store.project.variables import expand, invalid_variables, names_in
from diffsync_store.project.yaml_file import YamlFile
from diffsync_store.redaction import is_secret_name

M = TypeVar("M", bound=BaseModel)


class SettingsReader:
    """Read parts of one file.

    Args:
        file: the file.
        environment: the values of the variables.
        secrets: collects the values of variables with secret names.
    """

    def __init__(self, file: YamlFile, environment: Mapping[str, str], secrets: Secrets) -> None:
        self._file = file
        self._environment = environment
        self._secrets = secrets

    def read(
        self,
        model: type[M],
        location: Location,
        prepare: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> M:
        """Validate the part at a location; a missing part counts as an empty mapping.

        Args:
            model: what the part has to fit.
            location: of the part.
            prepare: changes the data before they are validated.

        Raises:
            ConfigError: it does not fit the model, or a variable is not set.
        """
        data = self.expand(reduce(lambda part, key: part.get(key, {}), location, self._file.data), location)
        try:
            return model.model_validate(prepare(data))
        except ValidationError as error:
            values = Secrets()
            values.add(data)  # the message of a validator may contain them
            problems = problems_of(self._file, error, model, location)
            raise ConfigError(replace(each, message=values.redact(each.message)) for each in problems) from None

    def expand(self, data: Any, location: Location) -> Any:
        """Return the data with the values of its variables.

        Raises:
            ConfigError: a variable is not set, or is not well-formed.
        """
        problems: list[Problem] = []
        expanded = self._expand(data, location, problems)
        if problems:
            raise ConfigError(problems)
        return expanded

    def _expand(self, data: Any, location: Location, problems: list[Problem]) -> Any:
        if isinstance(data, dict):
            return {key: self._expand(value, (*location, key), problems) for key, value in data.items()}
        if isinstance(data, list):
            return [self._expand(value, (*location, index), problems) for index, value in enumerate(data)]
        if not isinstance(data, str):
            return data
        problems += [self._file.problem(location, message) for message in invalid_variables(data, self._environment)]
        self._secrets.add([self._environment.get(name, "") for name in names_in(data) if is_secret_name(name)])
        return expand(data, self._environment)
