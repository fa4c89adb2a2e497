"""ApiDescription: what an API's OpenAPI document says of a list, to find mistakes in a mapping before a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from diffsync_store.adapters.rest.described import DescribedFields
from diffsync_store.mapping.paths import is_plain
from diffsync_store.mapping.records import FieldMapping, Mapper

_MOST_REFERENCES = 20


class ApiDescription:
    """An OpenAPI document. Threads may share it.

    Args:
        document: its JSON.

    Raises:
        ValueError: it is not an OpenAPI document.
    """

    def __init__(self, document: Any) -> None:
        if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
            raise ValueError("`openapi` does not lead to an OpenAPI document: it has no `paths`.")  # noqa: TRY004  # it is the setting that is wrong
        self._document = document

    def problems(self, mapper: Mapper, url: str, items: str) -> Iterator[str]:
        """Yield the problems of a model's paths and fields.

        Args:
            mapper: the model and its mapping.
            url: the address of the list.
            items: the path of the records in an answer.
        """
        name = mapper.model._modelname
        operations = self._operations(url)
        if operations is None:
            yield f"{name}: the API has no path {urlsplit(url).path}.{self._similar(url)}"
        elif "get" not in operations:
            yield f"{name}: the API does not let {urlsplit(url).path} be read (GET)."
        else:
            known = self._fields_of_list(operations["get"], items)
            for path in _read_paths(mapper) if known else ():
                key = path.partition(".")[0]
                if key not in known:
                    yield f"{name}: the records of the API have no field {key!r}.{_suggestion(key, known)}"

    def unwritten(self, mapper: Mapper, url: str) -> list[str]:
        """Return the fields that the API requires of a new record and that the mapping does not write."""
        written = {path.partition(".")[0] for path in _written_paths(mapper)}
        return sorted(set(self._new_record(url).get("required", ())) - written)

    def described(self, url: str) -> DescribedFields:
        """Return what the document says of the fields of a new record; without fields if it says nothing."""
        found = self._new_record(url)
        properties = {name: self._resolved(one) for name, one in found.get("properties", {}).items()}
        return DescribedFields.from_schema({**found, "properties": properties})

    def _new_record(self, url: str) -> Mapping[str, Any]:
        """Return the schema of a new record; empty if the document has none."""
        create = (self._operations(url) or {}).get("post")
        body = self._schema_in(create.get("requestBody")) if isinstance(create, Mapping) else {}
        variants = [self._resolved(each) for each in body.get("oneOf") or body.get("anyOf") or [body]]
        return next((each for each in variants if each.get("properties")), {})

    def _operations(self, url: str) -> Mapping[str, Any] | None:
        wanted = _segments(urlsplit(url).path)
        paths = sorted(self._document["paths"], key=len, reverse=True)
        found = next((path for path in paths if _ends_with(wanted, _segments(path))), None)
        operations: Mapping[str, Any] | None = self._document["paths"][found] if found is not None else None
        return operations

    def _similar(self, url: str) -> str:
        path = urlsplit(url).path
        found = [known for known in self._document["paths"] if "{" not in known]
        return _suggestion(path, found)

    def _fields_of_list(self, operation: Mapping[str, Any], items: str) -> Mapping[str, Any]:
        """Return the properties of the records of a list; empty if the document does not declare them."""
        responses = operation.get("responses", {})
        schema = self._schema_in(responses.get("200") or responses.get(200) or responses.get("default"))
        for key in filter(None, items.split(".")):
            schema = self._resolved(schema.get("properties", {}).get(key))
        found = self._resolved(schema.get("items"))
        properties: Mapping[str, Any] = found.get("properties", {})
        return {} if found.get("additionalProperties") else properties

    def _schema_in(self, part: Any) -> Mapping[str, Any]:
        content = self._resolved(part).get("content", {})
        media: Any = next((found for kind, found in content.items() if "json" in kind), {})
        return self._resolved(media.get("schema"))

    def _resolved(self, part: Any) -> Mapping[str, Any]:
        """Return a part of the document without references; `allOf` as one."""
        for _ in range(_MOST_REFERENCES):
            reference = part.get("$ref") if isinstance(part, Mapping) else None
            if not isinstance(reference, str):
                break
            part = self._document
            for key in reference.removeprefix("#/").split("/"):
                part = part.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(part, Mapping) else {}
        if not isinstance(part, Mapping):
            return {}
        return self._merged(part) if "allOf" in part else part

    def _merged(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        parts = [self._resolved(each) for each in part["allOf"]]
        properties = {key: value for each in [*parts, part] for key, value in each.get("properties", {}).items()}
        required = [key for each in [*parts, part] for key in each.get("required", ())]
        return {**part, "properties": properties, "required": required}


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _ends_with(path: Sequence[str], template: Sequence[str]) -> bool:
    """Whether a path ends with a path of the document, which may lack what stands in front of all paths."""
    if not template or len(template) > len(path):
        return False
    pairs = zip(path[-len(template) :], template, strict=True)
    return all(given == wanted or wanted.startswith("{") for given, wanted in pairs)


def _fields(mapper: Mapper) -> Iterator[tuple[str, FieldMapping]]:
    for name in (*mapper.model._identifiers, *mapper.model._attributes):
        yield name, mapper.mapping.fields.get(name, FieldMapping())


def _read_paths(mapper: Mapper) -> Iterator[str]:
    """Yield the plain paths that are read."""
    for name, field in _fields(mapper):
        path = field.path or name
        if is_plain(path) and "value" not in field.model_fields_set:
            yield path


def _written_paths(mapper: Mapper) -> Iterator[str]:
    for name, field in _fields(mapper):
        if mapper.is_written(name):
            yield field.write_path or name
    yield from mapper.written_references.values()


def _suggestion(given: str, known: Any) -> str:
    found = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" Is it {found[0]!r}?" if found else ""
