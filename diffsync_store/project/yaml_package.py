"""Import ruamel.yaml, or raise an error with the command that installs it."""

try:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.composer import MaxDepthExceededError
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
    from ruamel.yaml.reader import ReaderError
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString
except ImportError as error:
    raise ImportError("A project file needs ruamel.yaml: pip install 'diffsync-store[project]'") from error

__all__ = [
    "YAML",
    "CommentedMap",
    "DoubleQuotedScalarString",
    "MappingNode",
    "MarkedYAMLError",
    "MaxDepthExceededError",
    "Node",
    "ReaderError",
    "ScalarNode",
    "SequenceNode",
]
