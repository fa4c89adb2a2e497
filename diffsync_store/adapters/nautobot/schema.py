"""Nautobot's GraphQL: queries, and the types that it has. It names fields as REST does."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

from diffsync_store.adapters.http import HttpClient, HttpError

PATH = "graphql/"
_LISTS = "{ __schema { queryType { fields { name type { kind ofType { name } } } } } }"
_FIELDS = """query ($name: String!) {
  __type(name: $name) { fields { name type { kind name ofType { kind name } } } enumValues { name description } }
}"""


class CannotSelect(Exception):
    """A list cannot be read by GraphQL; the message says why."""


class GraphqlField(NamedTuple):
    """A field of a type."""

    kind: str
    """`SCALAR`, `ENUM`, `OBJECT` or `LIST`."""
    type_name: str


class Schema:
    """The types that queries are made from, asked for when they are needed. Threads may share it."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._lock = Lock()
        self._lists: dict[str, str] | None = None
        self._types: dict[str, Any] = {}

    def query(self, text: str, variables: Mapping[str, Any] | None = None) -> Any:
        """Return the data of an answer.

        Raises:
            CannotSelect: Nautobot has refused the query.
        """
        try:
            answer = self._client.send("POST", PATH, body={"query": text, "variables": variables or {}}).json()
        except HttpError as error:
            if error.response.status_code in {400, 403, 404}:
                raise CannotSelect(_reason(error.details) or str(error)) from error
            raise
        if answer.get("errors"):
            raise CannotSelect(_reason(answer))
        return answer["data"]

    def list_of(self, model: str) -> tuple[str, str]:
        """Return the field of a query that lists the records of a model, such as `devicetype`, and their type.

        Raises:
            CannotSelect: there is none.
        """
        for name, type_name in self._all_lists().items():
            if type_name.lower() == f"{model}type":
                return name, type_name
        raise CannotSelect(f"GraphQL has no list of {model}")

    def list_of_type(self, wanted: str) -> str:
        """Return the field of a query that lists the records of a type.

        Raises:
            CannotSelect: there is none.
        """
        for name, type_name in self._all_lists().items():
            if type_name == wanted:
                return name
        raise CannotSelect(f"GraphQL has no list of {wanted}")

    def _all_lists(self) -> dict[str, str]:
        with self._lock:
            if self._lists is None:
                self._lists = self._read_lists()
            return self._lists

    def fields_of(self, type_name: str) -> dict[str, GraphqlField]:
        """Return the fields of a type, by name."""
        return {field["name"]: _field(field["type"]) for field in self._type(type_name)["fields"] or ()}

    def labels_of(self, enum_name: str) -> dict[str, str]:
        """Name → label of the values of an enumeration."""
        return {value["name"]: value["description"] for value in self._type(enum_name)["enumValues"] or ()}

    def _read_lists(self) -> dict[str, str]:
        fields = self.query(_LISTS)["__schema"]["queryType"]["fields"]
        return {field["name"]: field["type"]["ofType"]["name"] for field in fields if field["type"]["kind"] == "LIST"}

    def _type(self, name: str) -> Any:
        with self._lock:
            if name not in self._types:
                self._types[name] = self.query(_FIELDS, {"name": name})["__type"]
            return self._types[name]


def _field(found: Mapping[str, Any]) -> GraphqlField:
    if found["kind"] == "NON_NULL":
        found = found["ofType"]
    return GraphqlField(found["kind"], found["name"] or (found.get("ofType") or {}).get("name") or "")


def _reason(answer: Any) -> str:
    errors = answer.get("errors") if isinstance(answer, Mapping) else None
    return "; ".join(str(error.get("message", error)) for error in errors or ())
