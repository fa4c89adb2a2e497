"""Render templates. Every value is escaped, and invisible characters are shown as escapes."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from diffsync_store.printable import printable_lines
from diffsync_store.report.values import text_of
from diffsync_store.serve.identity import ROLES
from diffsync_store.serve.security.csrf import csrf_token

_environment = Environment(
    loader=PackageLoader("diffsync_store.serve.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: printable_lines(value) if type(value) is str else value,
)

_environment.filters["number"] = lambda number: f"{number:,}"
_environment.filters["value"] = text_of
_environment.filters["time"] = lambda time: f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else ""


def render(request: Request, template: str, **values: Any) -> Response:
    """Return a page."""
    user = request.user
    page = _environment.get_template(template)
    headers = {}
    if request.headers.get("HX-Target") == "runs" and not values.get(
        "is_busy"
    ):  # the last run has ended: all of the page changes
        headers["HX-Refresh"] = "true"
    values |= {"user": user, "roles": [role for role in ROLES if role in user.roles], "csrf_token": csrf_token(request)}
    return HTMLResponse(page.render(**values), headers=headers)
