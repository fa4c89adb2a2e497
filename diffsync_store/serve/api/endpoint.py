"""An endpoint of the API: what it takes, what it answers, and which role it needs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from diffsync_store.printable import with_notes
from diffsync_store.project import Role, SyncContext
from diffsync_store.serve.api.errors import ERRORS, refusal_of, wrong_input
from diffsync_store.serve.api.models import NoQuery
from diffsync_store.serve.identity import Identity, requires_role
from diffsync_store.serve.services import Services

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Call:
    """A request to an endpoint, validated."""

    request: Request
    services: Services
    query: Any
    body: Any

    @property
    def context(self) -> SyncContext[Any]:
        """The project."""
        return self.services.context

    @property
    def user(self) -> Identity:
        """Who makes the request."""
        user: Identity = self.request.user
        return user

    def path(self, name: str) -> str:
        """Return a part of the path."""
        part: str = self.request.path_params[name]
        return part


@dataclass(frozen=True)
class Endpoint:
    """One method of one path."""

    method: str
    path: str
    role: Role
    summary: str
    answer: type[BaseModel]
    handle: Callable[[Call], BaseModel]
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    status: int = 200

    def route(self) -> Route:
        """Return the route, guarded by the role."""

        async def serve(request: Request) -> Response:
            query = _validated(self.query, _single_values(request), "The query")
            body = None if self.body is None else _validated(self.body, await _json_of(request), "The body")
            answer = await run_in_threadpool(self._answer, Call(request, request.app.state.services, query, body))
            return Response(answer.model_dump_json(), self.status, media_type="application/json")

        serve.__name__ = self.handle.__name__
        name = f"api_{self.handle.__name__}"
        return Route(PREFIX + self.path, requires_role(self.role)(serve), methods=[self.method], name=name)

    def _answer(self, call: Call) -> BaseModel:
        try:
            return self.handle(call)
        except ERRORS as error:
            raise refusal_of(error, call.context.project.secrets.redact(with_notes(error))) from None


def _single_values(request: Request) -> dict[str, str]:
    values = dict(request.query_params)
    if len(values) != len(request.query_params.multi_items()):
        raise HTTPException(422, "The query has a parameter twice. Send each once.")
    return values


async def _json_of(request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON, with the header `Content-Type: application/json`.")
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON. Send a JSON object.") from None


def _validated(model: type[BaseModel], data: Any, what: str) -> BaseModel:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise wrong_input(error, what) from None
