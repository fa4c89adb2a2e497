"""The words of a fault in the YAML file: what was found, and what may stand there, with an example."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]
Schema = dict[str, Any]
SECRET_PLACES = {"store", "settings"}
"""Parts of the file whose values are not shown."""
LONGEST_FOUND = 60
OF_TYPE = ("_type", "_parsing", "_from_float", "_parsing_size", "_number", "_than", "_equal", "_error", "_unicode")
"""How pydantic's names end for a value that is not of its type, or not within its bounds."""
OTHERS = {"value_error", "assertion_error"}
KINDS = {"string": "a text", "boolean": "true or false", "array": "a list"}
FORMATS = {
    "password": "a text",
    "path": "a path",
    "file-path": "the path of a file",
    "directory-path": "the path of a folder",
}
NUMBERS = {"integer": "a whole number", "number": "a number"}
BOUNDS = (
    ("exclusiveMinimum", "above"),
    ("minimum", "of at least"),
    ("exclusiveMaximum", "below"),
    ("maximum", "of at most"),
)

QUOTE_VARIABLE = 'between braces or brackets a variable is put into quotes: {url: "${REDIS_URL}"}'
QUOTE_SIGN = 'a text that begins with one of * & @ ` % is put into quotes, such as "*/5 * * * *"'
YAML_HINTS = (
    (r"found character '\t'", "YAML indents by spaces, never by tabs"),
    ("while scanning an alias", QUOTE_SIGN),
    ("while scanning an anchor", QUOTE_SIGN),
    ("found character", QUOTE_SIGN),
    (
        "mapping values are not allowed",
        "a text with ': ' in it is put into quotes, and keys side by side are indented alike",
    ),
    ("found another document", "--- begins a second document; the file has one"),
    ("found undefined alias", "*name repeats what &name marks above it; a text that begins with * is put into quotes"),
    ("unknown escape character", "put the text into single quotes"),
    ("while parsing a flow", "a bracket or a brace is not closed, or a comma is missing"),
    ("found unexpected end of stream", "a quote is not closed"),
    ("while parsing a block", "keys, or list items, side by side are indented alike"),
)
"""What YAML says, and what mends it; the first that fits."""


def hint_of_yaml(error: yaml.MarkedYAMLError, text: str) -> str:
    """What to do about text that is not YAML; nothing where it is not known."""
    said = f"{error.context} {error.problem}"
    at = error.problem_mark
    if at and "while parsing a flow" in said and text.splitlines()[at.line][: at.column + 1].endswith("${"):
        return f"; {QUOTE_VARIABLE}"
    return next((f"; {hint}" for words, hint in YAML_HINTS if words in said), "")


def place_of(fault: ErrorDetails) -> Location:
    """Pydantic adds a part of its own where a dictionary's key itself is wrong."""
    return tuple(part for part in fault["loc"] if part != "[key]")


def told(fault: ErrorDetails, schema: Schema, location: Location, written: str = "") -> str:
    """What is wrong, what was found, and what may stand there.

    Args:
        fault: as pydantic has it.
        schema: JSON Schema of the model.
        location: where in the file the model's data stand.
        written: what stands in the file for a value that is no text.
    """
    at = place_of(fault)
    if fault["type"] == "extra_forbidden":
        return _unknown_word(str(at[-1]), list(_resolved(_part_at(schema, at[:-1]), schema).get("properties", {})))
    part = _part_at(schema, at)
    if fault["type"] == "missing":
        return f"is missing{_example(part, schema)}"
    if fault["type"] in OTHERS:
        return fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    words = expected(part, schema) if fault["type"].endswith(OF_TYPE) else ""
    message = f"{words} is expected{_example(part, schema)}" if words else fault["msg"]
    return f"{message}{_found(fault['input'], written, is_shown=not SECRET_PLACES & {*location, *at})}"


def expected(part: Schema, schema: Schema) -> str:
    """What may stand at a place, from its JSON Schema; nothing where that does not say it."""
    part = _resolved(part, schema)
    if "enum" in part:
        *most, last = map(repr, part["enum"])
        return f"{', '.join(most)} or {last}" if most else last
    kind = part.get("type", "")
    if kind in NUMBERS:
        bounds = [f"{words} {part[name]}" for name, words in BOUNDS if name in part]
        return " ".join([NUMBERS[kind], " and ".join(bounds)]).strip()
    if kind == "object":
        return f"a mapping of {', '.join(part['properties'])}" if part.get("properties") else "a mapping of names"
    return FORMATS.get(part["format"], "") if "format" in part else KINDS.get(kind, "")


def instead_of(word: str, allowed: Iterable[str]) -> str:
    """What may have been meant by a word that is not among those that are allowed, and all of them."""
    known = list(allowed)
    meant = get_close_matches(word, known, 1)
    guess = f"; {meant[0]!r} may be meant" if meant else ""
    return f"{guess}; there are {', '.join(known) or 'none'}"


def _unknown_word(word: str, allowed: list[str]) -> str:
    return f"no such key{instead_of(word, allowed)}" if allowed else "no such key; nothing may stand here"


def _found(value: Any, written: str, *, is_shown: bool) -> str:
    if value is None:
        return "; nothing was found"
    if isinstance(value, dict | list):
        return f"; a {'list' if isinstance(value, list) else 'mapping'} was found"
    if isinstance(value, bool) and written.lower() not in {"true", "false"}:
        return (
            f"; found {written}, which is {str(value).lower()} for YAML: a text is put into quotes" if is_shown else ""
        )
    found = repr(value) if isinstance(value, str | int | float) else written or repr(value)
    return f"; found {found}" if is_shown and len(found) <= LONGEST_FOUND else ""


def _example(part: Schema, schema: Schema) -> str:
    found = part.get("examples") or _resolved(part, schema).get("examples")
    return f", such as {written(found[0])}" if found else ""


def written(value: Any) -> str:
    """A value as YAML has it, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).split("\n", 1)[0]


def _part_at(schema: Schema, location: Location) -> Schema:
    part = schema
    for name in location:
        part = _resolved(part, schema)
        part = part.get("properties", {}).get(str(name)) or part.get("additionalProperties") or part.get("items") or {}
        if not isinstance(part, dict):
            return {}
    return part


def _resolved(part: Schema, schema: Schema) -> Schema:
    """The one kind of value that a part is about; a null beside it is left away."""
    options = [one for one in part.get("anyOf") or part.get("allOf") or [part] if one.get("type") != "null"]
    if len(options) > 1 and not any("$ref" in option for option in options):
        return {}
    found: Schema = next((option for option in options if "$ref" in option), options[0])
    return schema["$defs"][found["$ref"].rsplit("/", 1)[-1]] if "$ref" in found else found
