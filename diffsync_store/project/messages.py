"""The messages of problems: pydantic's messages, rewritten where they do not fit a YAML file."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import ErrorDetails

from diffsync_store.project.errors import Location
from diffsync_store.redaction import redact_credentials
from diffsync_store.suggestion import did_you_mean

JsonSchema = dict[str, Any]
SECRET_PLACES = {"store", "settings"}
"""Keys below which messages show no values."""
MAX_VALUE_LENGTH = 60
"""Longer values are not shown in messages."""

QUOTE_VARIABLE = 'Put a variable between braces or brackets into quotes: {url: "${REDIS_URL}"}'
QUOTE_BRACKET = 'Put a text with brackets into quotes: {tags: "list[str]"}'
YAML_HINTS = (
    (r"found character '\t'", "Indent with spaces, not with tabs."),
    ("found undefined alias", 'Put a text that begins with * into quotes: "*/5 * * * *"'),
    ("alphabetic or numeric character", 'Put a text that begins with * or & into quotes: "*/5 * * * *"'),
    ("found character", "Put a text that begins with @, ` or % into quotes."),
    ("mapping values are not allowed", "Put a text that contains ': ' into quotes, and indent sibling keys alike."),
    ("another document", "Remove the line ---: a file has one document."),
    ("unknown escape character", "Put the text into single quotes."),
    ("while parsing a flow", "Close the bracket or brace, or add the missing comma."),
    ("found unexpected end of stream", "Close the quote."),
    ("while parsing a block", "Indent sibling keys, or list items, alike."),
)
"""Parts of the parser's messages, each with a remedy. The first match counts."""


def yaml_message(error: Any, text: str) -> str:
    """Return the message of a parser's error, with the remedy if one is known.

    The name of an unknown alias is left out: it may be a password that begins with `*`.
    """
    problem = re.sub(r"(found undefined alias) .*", r"\1", error.problem.removeprefix("but "))
    return f"invalid YAML: {problem}{_hint(error, text)}"


def _hint(error: Any, text: str) -> str:
    problem = f"{error.context} {error.problem}"
    mark = error.problem_mark
    before = "".join(text.split("\n")[mark.line : mark.line + 1])[: mark.column + 1] if mark else ""
    if before.endswith("${") and "while parsing a flow" in problem:
        return f". {QUOTE_VARIABLE}"
    if re.search(r"\w\[$", before) and "while parsing a flow" in problem:
        return f". {QUOTE_BRACKET}"
    return next((f". {hint}" for part, hint in YAML_HINTS if part in problem), "")


def suggestion(word: str, known: Iterable[str], heading: str = "Known keys") -> str:
    """Return a suggestion for an unknown word, if one is similar, and all known words."""
    words = list(known)
    return f".{did_you_mean(word, words)} {heading}: {', '.join(words) or 'none'}"


def location_of(error: ErrorDetails) -> Location:
    """Return the location, without the parts that pydantic adds for a dict's key and a form of the shards."""
    return tuple(part for part in error["loc"] if part != "[key]" and not str(part).startswith("shards:"))


def message_of(error: ErrorDetails, schema: JsonSchema, location: Location) -> str:
    """Return the message of one of pydantic's errors.

    Args:
        error: the error.
        schema: JSON Schema of the validated model.
        location: of the model's data in the file.
    """
    at = location_of(error)
    kind = error["type"]
    part = _part_at(schema, at)
    if kind == "extra_forbidden":
        known = _resolve(_part_at(schema, at[:-1]), schema).get("properties", {})
        return f"unknown key{suggestion(str(at[-1]), known)}"
    if kind == "missing":
        return f"required key is missing{_example(part, schema)}"
    if kind == "too_short":
        return f"give at least {error['ctx']['min_length']}"
    is_shown = not is_secret_place((*location, *at)) and "[key]" not in error["loc"]
    found = _found(error["input"]) if is_shown else ""
    if kind in {"value_error", "assertion_error"}:
        message = error["msg"].partition(", ")[2]
        return f"{message[:-1]}{found}." if message.endswith(".") else f"{message}{found}"
    return f"{_expected(error, part, schema)}{_example(part, schema)}{found}"


def is_secret_place(location: Location) -> bool:
    """Return whether a message must not show the value at a location."""
    return not SECRET_PLACES.isdisjoint(location)


def _expected(error: ErrorDetails, part: JsonSchema, schema: JsonSchema) -> str:
    if error["type"] == "tuple_type":
        return "Input should be a valid list"
    if error["type"] not in {"model_type", "model_attributes_type", "dict_type", "mapping_type"}:
        return error["msg"]
    found = _resolve(part, schema)
    keys = ", ".join(found.get("properties", {}))
    text = "a text, or " if "string" in found.get("type", ()) else ""
    return f"expected {text}a mapping{f' with the keys {keys}' if keys else ''}"


def _found(value: Any) -> str:
    if isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return "; got a list"
    text = as_yaml(value) if value is None or isinstance(value, bool) else redact_credentials(repr(value))
    return f"; got {text}" if len(text) <= MAX_VALUE_LENGTH else ""


def _example(part: JsonSchema, schema: JsonSchema) -> str:
    examples = part.get("examples") or _resolve(part, schema).get("examples")
    return f", e.g. {as_yaml(examples[0])}" if examples else ""


def as_yaml(value: Any) -> str:
    """Write a value as one line of YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {as_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_yaml, value))}]"
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and re.search(r"[{}\[\],#&*!|>'%@`]|: ", text) else text


def _part_at(schema: JsonSchema, location: Location) -> JsonSchema:
    part = schema
    for name in location:
        forms = [_resolve(form, schema) for form in _forms(part)]
        inner = (form.get("properties", {}).get(str(name)) for form in forms)
        other = (form.get("items" if isinstance(name, int) else "additionalProperties") for form in forms)
        part = next((found for found in (*inner, *other) if isinstance(found, dict)), {})
    return part


def _forms(part: JsonSchema) -> list[JsonSchema]:
    """Return the forms that a value can have."""
    inner = [*part.get("anyOf", []), *part.get("oneOf", []), *part.get("allOf", [])]
    return [form for each in inner for form in _forms(each)] if inner and "$ref" not in part else [part]


def _resolve(part: JsonSchema, schema: JsonSchema) -> JsonSchema:
    """Follow a reference, also in an optional type."""
    reference = next((form["$ref"] for form in _forms(part) if "$ref" in form), None)
    return schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else part
