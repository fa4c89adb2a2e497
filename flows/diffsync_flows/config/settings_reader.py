"""Reading a part of the YAML file as a model, with its variables put in."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from diffsync_flows.config.messages import Location
from diffsync_flows.config.secrets import Secrets
from diffsync_flows.config.variables import MALFORMED, bare_name, expanded, is_malformed, names_in
from diffsync_flows.config.yaml_source import ConfigFault, YamlFile
from diffsync_store.redaction import is_secret_name

M = TypeVar("M", bound=BaseModel)


class Reader:
    """Reads one file.

    Args:
        file: it.
        variables: what `${VAR}` may name.
        secrets: takes in the values of variables whose names say that they are secret.
    """

    def __init__(self, file: YamlFile, variables: Mapping[str, str], secrets: Secrets) -> None:
        self._file = file
        self._variables = variables
        self._secrets = secrets

    def read(self, model: type[M], location: Location) -> M:
        """What stands at a place, as a model; nothing is the same as an empty mapping."""
        data = reduce(lambda part, key: part.get(key, {}), location, self._file.data)
        try:
            return model.model_validate(self.expand(data, location))
        except ValidationError as error:
            raise ConfigFault(self._file.faults(error, model, location)) from None

    def expand(self, data: Any, location: Location) -> Any:
        """The data with its variables; each one that is not set is a fault."""
        faults: list[str] = []
        found = self._expand_part(data, location, faults)
        if faults:
            raise ConfigFault(faults)
        return found

    def _expand_part(self, data: Any, location: Location, faults: list[str]) -> Any:
        if isinstance(data, dict):
            return {key: self._expand_part(value, (*location, key), faults) for key, value in data.items()}
        if isinstance(data, list):
            return [self._expand_part(value, (*location, number), faults) for number, value in enumerate(data)]
        if not isinstance(data, str):
            return data
        faults += [self._file.fault(location, message) for message in self._wrong_variables(data)]
        self._secrets.keep([self._variables.get(name, "") for name in names_in(data) if is_secret_name(name)])
        return expanded(data, self._variables)

    def _wrong_variables(self, text: str) -> Iterator[str]:
        for name in names_in(text):
            if name not in self._variables:
                yield f"the environment has no variable {name}"
        if is_malformed(text):
            yield MALFORMED
        if (bare := bare_name(text)) in self._variables:
            yield f"${bare} would be taken as it is written: a variable is written ${{{bare}}}"
