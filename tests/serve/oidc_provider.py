"""A small OpenID Connect provider on 127.0.0.1, which can also answer wrongly."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID = "diffsync-store"
CLIENT_SECRET = "client-secret-of-the-test"
REDIRECTS = "/sign-in/callback"


@dataclass
class Grant:
    """What a code is for."""

    redirect_uri: str
    challenge: str
    nonce: str
    user: str


@dataclass
class Faults:
    """How the provider answers wrongly."""

    claims: dict[str, Any] = field(default_factory=dict)
    """Replaces claims of the id token; None removes one."""
    sign: Callable[[dict[str, Any]], str] | None = None
    userinfo: dict[str, Any] = field(default_factory=dict)
    issuer: str = ""


class OidcProvider:
    """The provider; `users` maps names to groups. The sign-in page has a button for each user."""

    def __init__(self) -> None:
        self.users = {"alice": ["leads"], "bob": ["network"], "mallory": ["unknown"]}
        self.user = ""
        """Who is signed in already, so that no page is shown."""
        self.faults = Faults()
        self.groups_in_token = True
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.requests: list[str] = []
        self.grants: dict[str, Grant] = {}
        self.tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.post(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def settings(self) -> dict[str, Any]:
        return {"issuer": self.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.requests.append(handler.path)
        if url.path == "/.well-known/openid-configuration":
            _json(handler, self._metadata())
        elif url.path == "/jwks":
            _json(handler, {"keys": [self.key.as_dict(private=False)]})
        elif url.path == "/authorize":
            self._authorize(handler, query)
        elif url.path == "/userinfo":
            user = self.tokens.get(handler.headers.get("Authorization", "").removeprefix("Bearer "), "")
            claims = {"sub": f"id-of-{user}", "groups": self.users.get(user, []), **self.faults.userinfo}
            _json(handler, claims, 200 if user else 401)
        else:
            _page(handler, "<p>Signed out of the provider</p>")

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0"))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        grant = self.grants.pop(form.get("code", ""), None)
        verified = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        is_right = (
            grant is not None
            and handler.headers.get("Authorization") == f"Basic {basic}"
            and grant.challenge == verified.rstrip(b"=").decode()
            and grant.redirect_uri == form.get("redirect_uri")
        )
        if grant is None or not is_right:
            _json(handler, {"error": "invalid_grant"}, 400)
            return
        access = secrets.token_urlsafe(16)
        self.tokens[access] = grant.user
        _json(handler, {"access_token": access, "token_type": "Bearer", "id_token": self._id_token(grant)})

    def _metadata(self) -> dict[str, Any]:
        paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "end"}
        return {
            "issuer": self.faults.issuer or self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()},
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def _authorize(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        asked = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in asked.items()) or not query.get("nonce"):
            _page(handler, "<p>Wrong request</p>", 400)
            return
        user = query.get("user", self.user)
        if not user:
            links = "".join(
                f'<p><a href="/authorize?{escape(urlencode({**query, "user": name}))}">{name}</a></p>'
                for name in self.users
            )
            _page(handler, f"<h1>Sign in</h1>{links}")
            return
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(query["redirect_uri"], query["code_challenge"], query["nonce"], user)
        handler.send_response(302)
        handler.send_header("Location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}")
        handler.end_headers()

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": f"id-of-{grant.user}",
            "preferred_username": grant.user,
            "nonce": grant.nonce,
            "iat": now,
            "exp": now + 300,
        }
        if self.groups_in_token:
            claims["groups"] = self.users[grant.user]
        claims = {name: value for name, value in {**claims, **self.faults.claims}.items() if value is not None}
        if self.faults.sign is not None:
            return self.faults.sign(claims)
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)


def unsigned(claims: dict[str, Any]) -> str:
    """Return a token with the algorithm `none`."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'kid': 'one'})}.{part(claims)}."


def signed_by_secret(claims: dict[str, Any]) -> str:
    """Return a token that whoever knows the client's secret can make."""
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(CLIENT_SECRET), algorithms=["HS256"])


def signed_by_other_key(claims: dict[str, Any]) -> str:
    """Return a token of another provider."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048, {"kid": "one"}))


def _json(handler: BaseHTTPRequestHandler, body: dict[str, Any], status: int = 200) -> None:
    _send(handler, json.dumps(body).encode(), "application/json", status)


def _page(handler: BaseHTTPRequestHandler, body: str, status: int = 200) -> None:
    _send(handler, f"<!doctype html><title>Provider</title>{body}".encode(), "text/html; charset=utf-8", status)


def _send(handler: BaseHTTPRequestHandler, body: bytes, kind: str, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
