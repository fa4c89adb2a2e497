"""A YAML file as plain data that remembers its lines, so that a fault can name the line."""

from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from flows.fault_words import Location, hint_of_yaml, instead_of, place_of, told
from flows.faults import Fault

PLAIN = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
MERGE = "tag:yaml.org,2002:merge"


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
        self._found: list[str] = []
        self._open: list[yaml.Node] = []
        try:
            root = self._compose()
            self.data = {} if root is None else self._read(root, ())
        except RecursionError:
            raise ConfigFault([f"{path}: its lists and mappings are nested too deeply"]) from None
        if self._found:
            raise ConfigFault(self._found)

    def fault(self, location: Location, message: str) -> str:
        """One line, e.g. `deployments/syncs.yaml:12: adapters.registry.class: is missing`."""
        return _line(self.path, self._line(location), location, message)

    def faults(
        self,
        error: ValidationError,
        model: type[BaseModel],
        location: Location = (),
        *,
        without: Container[Location] = (),
    ) -> list[str]:
        """Each fault that pydantic found in the data at `location`, which a model of this class was to be made from.

        Args:
            error: of pydantic.
            model: the class.
            location: where its data stand.
            without: places of which something else was said already.
        """
        schema = _schema(model)
        found = {(*location, *place_of(fault)): fault for fault in error.errors(include_url=False)}
        return [
            self.fault(place, told(fault, schema, location)) for place, fault in found.items() if place not in without
        ]

    def config_fault(self, location: Location, message: str) -> ConfigFault:
        """One fault, to be raised."""
        return ConfigFault([self.fault(location, message)])

    def unknown(self, kind: str, name: str, declared: Iterable[str]) -> ConfigFault:
        """The fault of a name that the file does not have, with those that it has."""
        return ConfigFault([f"{self.path}: no {kind} {name!r} is declared{instead_of(name, declared)}"])

    def _line(self, location: Location) -> int:
        """What is missing is looked for where it would stand: at its parent."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def _compose(self) -> yaml.Node | None:
        text = ""
        try:
            text = self.path.read_text("utf-8")
            return yaml.compose(text, yaml.SafeLoader)
        except FileNotFoundError:
            raise ConfigFault([f"{self.path}: no such file; DIFFSYNC_CONFIG names the one to read"]) from None
        except OSError as error:
            told = f"cannot be read: {error.strerror}; DIFFSYNC_CONFIG names the file to read"
            raise ConfigFault([f"{self.path}: {told}"]) from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            told = f"not YAML: {error.problem}{hint_of_yaml(error, text)}"
            raise ConfigFault([f"{self.path}:{line}: {told}"]) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigFault([f"{self.path}: not YAML, which is text in UTF-8: {error}"]) from None

    def _read(self, node: yaml.Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(location, line)
        if node in self._open:
            return self._note(line, location, "is an alias of what it stands in itself, and would never end")
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, location)
        if node.tag not in PLAIN:
            return self._note(line, location, _wrong_tag(node))
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return dict(self._read_pairs(node, location))
            return [self._read(item, (*location, number)) for number, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _read_scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node)
        except yaml.constructor.ConstructorError:
            message = _wrong_tag(node)
        except (ValueError, LookupError, AttributeError):  # what YAML takes for a number or a date, and is none
            message = f"{node.value[:60]!r} is no {node.tag.rsplit(':', 1)[-1]}; a text is put into quotes"
        finally:
            loader.dispose()
        return self._note(node.start_mark.line + 1, location, message)

    def _read_pairs(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == MERGE:
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            elif not isinstance(key_node, yaml.ScalarNode):
                self._note(line, location, "a key is one word; a list or a mapping was found in its place")
            elif (at := (*location, str(key_node.value))) in self.lines:
                self._note(line, at, "stands twice in the file")
            else:
                self.lines[at] = line
                yield str(key_node.value), self._read(value_node, at)
        for each in merged:
            yield from self._read_merged(each, location)

    def _read_merged(self, node: yaml.Node, location: Location) -> Iterator[tuple[str, Any]]:
        """What `<<` brings along; what stands in the mapping itself comes first."""
        if not isinstance(node, yaml.MappingNode):
            self._note(node.start_mark.line + 1, location, "<< takes a mapping, such as *common of a mapping &common")
        elif node in self._open:
            self._note(
                node.start_mark.line + 1, location, "is an alias of what it stands in itself, and would never end"
            )
        else:
            self._open.append(node)
            more = [pair for pair in node.value if (*location, str(pair[0].value)) not in self.lines]
            yield from self._read_pairs(yaml.MappingNode(node.tag, more, node.start_mark), location)
            self._open.pop()

    def _note(self, line: int, location: Location, message: str) -> Any:
        """Take in a fault; nothing stands in the place of what is wrong."""
        self._found.append(_line(self.path, line, location, message))


def _line(path: Path, line: int, location: Location, message: str) -> str:
    place = ".".join(map(str, location))
    return f"{path}:{line}: {place}: {message}" if place else f"{path}:{line}: {message}"


def _wrong_tag(node: yaml.Node) -> str:
    written = node.tag.replace("tag:yaml.org,2002:", "!!")
    return f"takes no tag {written}: write the value alone, a class as the text module:Class"


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model; nothing for one of an adapter's own that has none."""
    try:
        return model.model_json_schema()
    except PydanticUserError:
        return {}
