"""A YAML file as plain data that remembers its lines, so that a fault can name the line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

Location = tuple[str | int, ...]


class ConfigFault(ValueError):
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
        """One line, e.g. `deployments/diffsync.yaml:12: adapters.registry.class: Field required`."""
        return f"{self.path}:{self._line(location)}: {'.'.join(map(str, location))}: {message}"

    def faults(self, error: ValidationError, location: Location = ()) -> list[str]:
        """Each fault that pydantic found in the data at `location`; the values stay unsaid, they may be secrets."""
        found = error.errors(include_input=False, include_url=False)
        return [self.fault((*location, *_without_mark(fault["loc"])), fault["msg"]) for fault in found]

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


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()
