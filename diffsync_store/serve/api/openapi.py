"""The description of the API in OpenAPI 3.1, made from the endpoints and their classes."""

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from diffsync_store.serve.api.endpoint import PREFIX, Endpoint
from diffsync_store.serve.api.models import Problem

_REF = "#/components/schemas/{model}"
_ERRORS = {
    401: "No identity, or a wrong token",
    403: "The role is missing, or the request comes from another site",
    404: "There is no such sync, diff or run",
    409: "It cannot be done now, or the diff is not the one that was shown",
    422: "The query or the body is wrong",
    429: "Too many requests",
}


def openapi_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the description."""
    endpoints = list(endpoints)
    paths: dict[str, Any] = {}
    for each in endpoints:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "diffsync-store", "version": version("diffsync-store"), "description": __doc__},
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "diffsync-session",
                    "description": "Of a person; a POST also needs the header X-CSRF-Token and the Origin of the page",
                },
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    answers = {str(status): _answer(text, Problem, "application/problem+json") for status, text in _ERRORS.items()}
    answers[str(endpoint.status)] = _answer(endpoint.answer.__doc__ or "", endpoint.answer, "application/json")
    operation: dict[str, Any] = {
        "operationId": endpoint.handle.__name__,
        "summary": endpoint.summary,
        "description": f"Needs the role `{endpoint.role}`.",
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": dict(sorted(answers.items())),
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body, "application/json")}
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", endpoint.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    properties = endpoint.query.model_json_schema().get("properties", {})
    return [
        {"name": name, "in": "query", "description": schema.pop("description", ""), "schema": schema}
        for name, schema in properties.items()
    ]


def _answer(description: str, model: type[BaseModel], media_type: str) -> dict[str, Any]:
    return {"description": description, "content": _content(model, media_type)}


def _content(model: type[BaseModel], media_type: str) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _schemas(endpoints: list[Endpoint]) -> dict[str, Any]:
    bodies = [(each.body, "validation") for each in endpoints if each.body is not None]
    answers = [(each.answer, "serialization") for each in endpoints] + [(Problem, "serialization")]
    _, schema = models_json_schema([*bodies, *answers], ref_template=_REF)  # type: ignore[list-item]  # the modes are literals
    schemas: dict[str, Any] = schema["$defs"]
    return schemas
