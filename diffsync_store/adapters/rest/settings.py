"""How the lists of an API are read, and how its records are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from diffsync_store.adapters.http import HttpSettings
from diffsync_store.mapping.paths import compile_getter
from diffsync_store.mapping.records import RecordMapping

Method = Literal["POST", "PUT", "PATCH", "DELETE"]
_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Paging(_Closed):
    """How the records of a list come in pages."""

    kind: Literal["none", "page", "offset", "cursor", "next", "link"] = "none"
    """`page`: numbers from `first` on; `offset`: how many records to leave out; `cursor`: a token in the answer; `next`: the URL of
    the next page in the answer; `link`: the header `Link: <…>; rel="next"`."""
    size: int = Field(default=200, ge=1)
    """Records of a page."""
    size_parameter: str = "limit"
    """The parameter for the size; empty if the API has none."""
    parameter: str = ""
    """The parameter of the page, the offset or the cursor; `page`, `offset`, `cursor` by default."""
    first: int = 1
    """The number of the first page."""
    next: str = "next"
    """The path of the next cursor in an answer, or of the next URL."""
    more: str = ""
    """The path of a value that is false on the last page, where the cursor alone does not say so."""
    total: str = ""
    """The path of the number of all records in an answer; the load then knows whether it has them all."""

    @field_validator("next", "more", "total")
    @classmethod
    def _require_path(cls, path: str) -> str:
        if path:
            compile_getter(path)
        return path

    @property
    def place_parameter(self) -> str:
        """Return the name of the parameter for the page."""
        return self.parameter or self.kind


class Call(NamedTuple):
    """A method and the template of a path."""

    method: str
    path: str


def _call(text: str) -> Call:
    method, _, path = text.strip().partition(" ")
    return Call(method, path.strip())


class Each(_Closed):
    """The answer for one record inside the answer of a bulk request, where each record has a status of its own."""

    status: str = "status"
    """The path of the HTTP status of the record."""
    record: str = ""
    """The path of the record; by default the answer for the record is the record."""


class Writing(_Closed):
    """How records are written.

    A call is a method and a path, such as `PATCH {path}{id}/`. `{path}` is the path of the list, `{id}` the record's id; the
    model's identifiers can stand there too.
    """

    create: str = "POST {path}"
    update: str = "PATCH {path}{id}/"
    delete: str = "DELETE {path}{id}/"
    whole: bool = True
    """A change by `PUT` reads the record first and sends it whole. If false, it sends what changes."""
    bulk: bool | tuple[Literal["create", "update", "delete"], ...] = False
    """Lists of records are taken in one request at the path of the list: by all calls, by these, or by none."""
    bulk_size: int = Field(default=100, ge=1)
    """Records of one bulk request at most."""
    wrap: str = ""
    """The key under which a record, or the list of a bulk request, stands in the body of a request."""
    answer: str = ""
    """The path of the record, or of the list of a bulk request, in an answer."""
    errors: str = ""
    """The path of the list of errors in the answer to a refused bulk request: one for each record, in order, empty for good
    ones. By default the answer itself is the list."""
    each: Each | None = None
    """Where a bulk request may be done in part (HTTP 207): how the answer says it for each record, in order."""
    if_match: bool = False
    """Send the record's ETag as `If-Match`, where it has one, and refuse a record that has changed since the load."""
    find_dropped: bool = True
    """Compare the answer with what was sent: an update of which the API has left fields out is a reject."""

    @field_validator("create", "update", "delete")
    @classmethod
    def _require_call(cls, text: str) -> str:
        method, path = _call(text)
        if method not in _METHODS or not path:
            raise ValueError(
                f"{text!r} is not a call: write a method of {', '.join(_METHODS)} and a path, such as `PATCH {{path}}{{id}}/`."
            )
        return text

    def call(self, action: str) -> Call:
        """Return the call of `create`, `update` or `delete`."""
        return _call(getattr(self, action))

    def is_bulk(self, action: str) -> bool:
        """True if lists are taken by `create`, `update` or `delete`."""
        return self.bulk if isinstance(self.bulk, bool) else action in self.bulk


class RestSettings(HttpSettings):
    """How an API is reached, read and written."""

    items: str = ""
    """The path of the records in the answer of a list; by default the answer is the list."""
    id: str = "id"
    """The path of a record's id."""
    openapi: str = ""
    """The path of the API's OpenAPI document in JSON: paths and fields that it does not have are found before the load."""
    paging: Paging = Paging()
    writing: Writing = Writing()

    @field_validator("paging", "writing", mode="before")
    @classmethod
    def _complete(cls, value: Any, info: ValidationInfo) -> Any:
        """Keep what the class says of its API where the settings say nothing else."""
        default = cls.model_fields[str(info.field_name)].default
        return {**default.model_dump(exclude_unset=True), **value} if isinstance(value, Mapping) else value

    @field_validator("items", "id")
    @classmethod
    def _require_path(cls, path: str) -> str:
        if path:
            compile_getter(path)
        return path


class RestRecords(RecordMapping):
    """How the records of a model are found in an API, where it differs from the settings."""

    params: dict[str, Any] = {}
    """Parameters of each request for the list, such as a filter. A record that does not fit it counts as not there."""
    find: str | dict[str, str] = {}
    """How one record is found by its identifiers: parameters of the list, such as `{name: "{name}"}`, or the path of the record,
    such as `{path}{name}/`. Without it the whole list is read."""
    items: str | None = None
    id: str | None = None
    paging: Paging | None = None
    writing: Writing | None = None
