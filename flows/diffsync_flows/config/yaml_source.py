"""A YAML file as plain data that remembers its lines, so that a fault can name the line."""

import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from diffsync_flows.config.messages import SECRET_PLACES, Location, hint_of_yaml, instead_of, place_of, told
from diffsync_flows.runtime.errors import UserError

LARGEST = 2**20
"""Bytes of a file."""
DEEPEST = 50
"""Lists and mappings within each other."""
MOST_REPEATED = 10_000
"""Values that aliases may repeat: a few lines of aliases of aliases stand for billions."""
OTHER_NUMBER = re.compile(r"[-+]?(0[0-7_]+|0b[01_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
"""What YAML takes for a number and people write for something else: 010 is 8, and 1:30 is 90."""
PLAIN = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
MERGE = "tag:yaml.org,2002:merge"


class ConfigFault(UserError):
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
        self.written: dict[Location, str] = {}
        """What stands in the file for a value that is no text, such as `no` for False."""
        self._open: list[yaml.Node] = []
        self._seen: set[int] = set()
        self._repeated = 0
        root = self._compose()
        self.data = {} if root is None else self._read(root, ())
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
            self.fault(place, told(fault, schema, location, self.written.get(place, "")))
            for place, fault in found.items()
            if place not in without
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
        text = self._text()
        try:
            return yaml.compose(text, _Loader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            told = f"not YAML: {error.problem}{hint_of_yaml(error, text)}"
            raise self._unreadable(line, told) from None
        except yaml.reader.ReaderError as error:
            told = f"not YAML: the character {chr(error.character)!a} may not stand in it"
            raise self._unreadable(text.count("\n", 0, error.position) + 1, told) from None
        except RecursionError:
            raise ConfigFault([f"{self.path}: its lists and mappings are nested too deeply"]) from None

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except FileNotFoundError:
            raise ConfigFault([f"{self.path}: no such file; DIFFSYNC_CONFIG names the one to read"]) from None
        except OSError as error:
            told = f"cannot be read: {error.strerror}; DIFFSYNC_CONFIG names the file to read"
            raise ConfigFault([f"{self.path}: {told}"]) from None
        if len(content) > LARGEST:
            raise ConfigFault(
                [f"{self.path}: is larger than {LARGEST:,} bytes; DIFFSYNC_CONFIG names the file to read"]
            )
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            told = f"not YAML, which is text in UTF-8: {error}, line {line}; save the file as UTF-8"
            raise ConfigFault([f"{self.path}: {told}"]) from None

    def _unreadable(self, line: int, told: str) -> ConfigFault:
        return ConfigFault([_line(self.path, line, (), told)])

    def _read(self, node: yaml.Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(location, line)
        if node in self._open:
            return self._note(line, location, "is an alias of what it stands in itself, and would never end")
        self._count_repeated(node, location)
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

    def _count_repeated(self, node: yaml.Node, location: Location) -> None:
        """Count what is read once more, by an alias."""
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > MOST_REPEATED or len(self._open) > DEEPEST:
            told = f"its aliases (*name, <<) repeat more than {MOST_REPEATED:,} values: write out what is meant"
            stands_in = self._open[-1] if self._open else node
            raise ConfigFault([_line(self.path, stands_in.start_mark.line + 1, location, told)])

    def _read_scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        loader = yaml.SafeLoader("")
        try:
            value = loader.construct_object(node)
            if not isinstance(value, str):
                self.written[location] = node.value
            if node.style is not None or isinstance(value, str) or not OTHER_NUMBER.fullmatch(node.value):
                return value
            taken = f", such as {node.value} for {value}" if _is_shown(location) else ""
            message = (
                f"YAML takes it for another number than it looks like{taken}: write the number, or a text in quotes"
            )
        except yaml.constructor.ConstructorError:
            message = _wrong_tag(node)
        except (ValueError, LookupError, AttributeError):  # what YAML takes for a number or a date, and is none
            found = repr(node.value[:60]) if _is_shown(location) else "it"
            message = f"{found} is no {node.tag.rsplit(':', 1)[-1]}; a text is put into quotes"
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
            self._count_repeated(node, location)
            self._open.append(node)
            more = [pair for pair in node.value if (*location, str(pair[0].value)) not in self.lines]
            yield from self._read_pairs(yaml.MappingNode(node.tag, more, node.start_mark), location)
            self._open.pop()

    def _note(self, line: int, location: Location, message: str) -> Any:
        """Take in a fault; nothing stands in the place of what is wrong."""
        self._found.append(_line(self.path, line, location, message))


class _Loader(yaml.SafeLoader):
    """Ends where a file is nested deeper than anybody needs, before Python does."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise RecursionError
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _line(path: Path, line: int, location: Location, message: str) -> str:
    place = ".".join(map(str, location))
    return f"{path}:{line}: {place}: {message}" if place else f"{path}:{line}: {message}"


def _is_shown(location: Location) -> bool:
    """Whether what stands at a place may be repeated in a message."""
    return not SECRET_PLACES & {*location}


def _wrong_tag(node: yaml.Node) -> str:
    written = node.tag.replace("tag:yaml.org,2002:", "!!")
    return f"takes no tag {written}: write the value alone, a class as the text module:Class"


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model; nothing for one of an adapter's own that has none."""
    try:
        return model.model_json_schema()
    except PydanticUserError:
        return {}
