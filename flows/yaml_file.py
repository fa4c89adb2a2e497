"""A YAML file as plain data that remembers its lines, so that a fault can name the line."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flows.faults import Fault

Location = tuple[str | int, ...]
SECRET_PLACES = {"store", "settings"}
"""Parts of the file whose values are not shown."""
LONGEST_FOUND = 60


class ConfigFault(Fault):
    """The YAML file is wrong; `.faults` has one line for each fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class YamlFile:
    """One file: `.data`, and where in the file each part of the data stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Location, int] = {}
        self._repeated: list[str] = []
        root = self._compose()
        self.data = {} if root is None else self._read(root, ())
        if self._repeated:
            raise ConfigFault(self._repeated)

    def fault(self, location: Location, message: str) -> str:
        """One line, e.g. `deployments/syncs.yaml:12: adapters.registry.class: is missing`."""
        return f"{self.path}:{self._line(location)}: {'.'.join(map(str, location))}: {message}"

    def faults(self, error: ValidationError, model: type[BaseModel], location: Location = ()) -> list[str]:
        """Each fault that pydantic found in the data at `location`, which a model of this class was to be made from."""
        schema = model.model_json_schema()
        return [
            self.fault((*location, *_without_mark(fault["loc"])), _told(fault, schema, location))
            for fault in error.errors(include_url=False)
        ]

    def _line(self, location: Location) -> int:
        """What is missing is looked for where it would stand: at its parent."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def _compose(self) -> yaml.Node | None:
        try:
            return yaml.compose(self.path.read_text("utf-8"), yaml.SafeLoader)
        except FileNotFoundError:
            raise ConfigFault([f"{self.path}: no such file; DIFFSYNC_CONFIG names the one to read"]) from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigFault([f"{self.path}:{line}: not YAML: {error.problem}"]) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigFault([f"{self.path}: not YAML: {error}"]) from None

    def _read(self, node: yaml.Node, location: Location) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return dict(self._read_pairs(node, location))
        if isinstance(node, yaml.SequenceNode):
            return [self._read(item, (*location, number)) for number, item in enumerate(node.value)]
        return _scalar(node)

    def _read_pairs(self, node: yaml.MappingNode, location: Location) -> Iterable[tuple[str, Any]]:
        for key_node, value_node in node.value:
            at = (*location, str(key_node.value))
            line = key_node.start_mark.line + 1
            if at in self.lines:
                self._repeated.append(f"{self.path}:{line}: {'.'.join(map(str, at))}: stands twice in the file")
                continue
            self.lines[at] = line
            yield str(key_node.value), self._read(value_node, at)


def _without_mark(location: Location) -> Location:
    """Pydantic adds a part of its own where a dictionary's key itself is wrong."""
    return tuple(part for part in location if part != "[key]")


def _told(fault: ErrorDetails, schema: dict[str, Any], location: Location) -> str:
    """What is wrong, what was found, and what may stand there."""
    at = _without_mark(fault["loc"])
    if fault["type"] == "extra_forbidden":
        return _unknown_word(str(at[-1]), _words_at(schema, at[:-1]))
    if fault["type"] == "missing":
        return "is missing"
    message = fault["msg"].removeprefix("Value error, ")
    found = fault["input"]
    is_shown = isinstance(found, str | int | float) and not SECRET_PLACES & {*location, *at}
    if fault["type"] == "value_error" or not is_shown:
        return message
    return f"{message}; found {found!r}" if len(repr(found)) <= LONGEST_FOUND else message


def _unknown_word(word: str, allowed: list[str]) -> str:
    return f"no such key{instead_of(word, allowed)}" if allowed else "no such key; nothing may stand here"


def instead_of(word: str, allowed: Iterable[str]) -> str:
    """What may have been meant by a word that is not among those that are allowed, and all of them."""
    known = list(allowed)
    meant = get_close_matches(word, known, 1)
    guess = f"; {meant[0]!r} may be meant" if meant else ""
    return f"{guess}; there are {', '.join(known) or 'none'}"


def _words_at(schema: dict[str, Any], location: Location) -> list[str]:
    """The keys that may stand at a place, from a JSON Schema."""
    part: dict[str, Any] = schema
    for name in (*location, None):
        part = _resolved(part, schema)
        if name is None:
            break
        part = part.get("properties", {}).get(str(name)) or part.get("additionalProperties") or part.get("items") or {}
    return list(part.get("properties", {}))


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    options = part.get("anyOf") or part.get("allOf") or [part]
    found: dict[str, Any] = next((option for option in options if "$ref" in option), part)
    return schema["$defs"][found["$ref"].rsplit("/", 1)[-1]] if "$ref" in found else found


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()
