"""Answers that say what was refused and what to do."""

import json
from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response

from diffsync_store.printable import printable_lines

API = "/api/"
PROBLEM_JSON = "application/problem+json"


def is_api(conn: HTTPConnection) -> bool:
    """Whether a program asks: the answer is JSON."""
    return conn.url.path.startswith(API)


def problem(
    conn: HTTPConnection, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """Return an error as problem JSON (RFC 9457), or as a small page for a browser.

    Args:
        conn: the request.
        status: the HTTP status.
        detail: what was refused, and the remedy.
        headers: further headers.
        more: further members of the JSON.
    """
    title = HTTPStatus(status).phrase
    if not is_api(conn):
        return small_page(
            title, f"<p>{escape(printable_lines(detail))}</p><p><a href='/'>Overview</a></p>", status, headers
        )
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(json.dumps(body), status, headers, PROBLEM_JSON)


def small_page(title: str, body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a page without styles and scripts.

    Args:
        title: plain text.
        body: HTML whose texts are escaped.
        status: the HTTP status.
        headers: further headers.
    """
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(page, status, headers)
