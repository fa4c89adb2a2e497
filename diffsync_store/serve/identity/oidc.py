"""Sign people in with an OpenID Connect provider."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from authlib.integrations.starlette_client import OAuth, OAuthError
from starlette.requests import Request
from starlette.responses import RedirectResponse

from diffsync_store.project.serve import OidcIdentity
from diffsync_store.serve.identity.identity import InvalidName, checked_name

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that only the provider can make. `none` and those with a shared secret are refused."""
_TIMEOUT = 10.0
_LEEWAY = 60
_STATE = "_state_"


class SignInFailed(Exception):
    """The provider did not sign the person in; the message is for the person, and holds no secret."""


class OidcProvider:
    """The client of one provider: authorization code, PKCE, state and nonce. Threads may share it."""

    def __init__(self, declared: OidcIdentity) -> None:
        self._declared = declared
        oauth = OAuth()
        oauth.register(
            "oidc",
            client_id=declared.client_id,
            client_secret=declared.client_secret.get_secret_value() if declared.client_secret else None,
            server_metadata_url=f"{declared.issuer.rstrip('/')}/.well-known/openid-configuration",
            code_challenge_method="S256",
            client_kwargs={
                "scope": " ".join(declared.scopes),
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT,
                "follow_redirects": False,
                **({} if declared.client_secret else {"token_endpoint_auth_method": "none"}),
            },
        )
        self._client: Any = oauth.oidc

    async def redirect(self, request: Request, callback: str) -> RedirectResponse:
        """Send the person to the provider.

        Args:
            request: whose session remembers state, nonce and code verifier.
            callback: the address to which the provider sends the person back.

        Raises:
            SignInFailed: the provider does not answer.
        """
        for key in [key for key in request.session if key.startswith(_STATE)]:
            del request.session[key]
        await self._load_metadata()
        response: RedirectResponse = await self._client.authorize_redirect(request, callback)
        return response

    async def person(self, request: Request) -> tuple[str, list[str]]:
        """Return name and groups of the person that the provider sends back.

        Raises:
            SignInFailed: state, nonce, audience, issuer, signature or time of the answer is wrong, or it names nobody.
        """
        await self._load_metadata()
        declared = self._declared
        options = {
            "iss": {"essential": True, "value": self._client.server_metadata["issuer"]},
            "aud": {"essential": True, "value": declared.client_id},
            "nonce": {"essential": True},
        }
        try:
            token = await self._client.authorize_access_token(request, claims_options=options, leeway=_LEEWAY)
            claims: Mapping[str, Any] | None = token.get("userinfo")
            if claims and claim(claims, declared.groups_claim) is None and self._offers_userinfo():
                claims = _same_person(claims, await self._client.userinfo(token=token))
        except OAuthError as error:
            raise SignInFailed(f"The provider refused the sign-in: {_code(error.error)}. Sign in again.") from None
        except SignInFailed:
            raise
        except Exception as error:  # noqa: BLE001  # of joserfc, httpx or authlib; it may hold the token
            raise SignInFailed(
                f"The answer of the provider was not valid ({type(error).__name__}). Sign in again."
            ) from None
        if not claims:
            raise SignInFailed(
                "The provider sent no id token. Check that the scope `openid` is allowed for this client."
            )
        return self._name(claims), groups_in(claim(claims, declared.groups_claim))

    async def sign_out_url(self, back: str) -> str | None:
        """Return where the provider ends its own session; None if it has no such page."""
        try:
            await self._load_metadata()
            found: str = (await self._client.create_logout_url(back, client_id=self._declared.client_id))["url"]
        except (SignInFailed, RuntimeError):
            return None
        return found

    async def _load_metadata(self) -> None:
        try:
            metadata = await self._client.load_server_metadata()
        except Exception as error:  # noqa: BLE001  # of httpx, or invalid JSON
            raise SignInFailed(
                f"The provider {self._declared.issuer} does not answer ({type(error).__name__}). Try again, or check "
                "`issuer` in the project file."
            ) from None
        if str(metadata.get("issuer", "")).rstrip("/") != self._declared.issuer.rstrip("/"):
            raise SignInFailed(
                "The provider says that it is another issuer. Check `issuer` in the project file: it must be exactly the one that "
                "the provider's openid-configuration names."
            )
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [each for each in offered if each in ALGORITHMS] or [
            "RS256"
        ]

    def _offers_userinfo(self) -> bool:
        return "userinfo_endpoint" in self._client.server_metadata

    def _name(self, claims: Mapping[str, Any]) -> str:
        wanted = self._declared.name_claim
        found = claim(claims, wanted)
        if wanted == "email" and claims.get("email_verified") is False:
            raise SignInFailed(
                "The provider has not verified your e-mail address. Verify it there, then sign in again."
            )
        try:
            return checked_name(found if isinstance(found, str) else "")
        except InvalidName as error:
            raise SignInFailed(
                f"The claim {wanted!r} is not a name: {error}. Set `name_claim` in the project file to a claim that the "
                "provider sends."
            ) from None


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim by its name, or by a path with dots; None if it is missing."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def groups_in(value: Any) -> list[str]:
    """Return groups from a list, or from a text with spaces or commas."""
    if isinstance(value, str):
        return [part for part in re.split(r"[\s,]+", value) if part]
    return [each for each in value if isinstance(each, str)] if isinstance(value, Iterable) else []


def _same_person(claims: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    if more.get("sub") != claims.get("sub"):
        raise SignInFailed("The provider answered with the claims of another person. Sign in again.")
    return {**more, **claims}


def _code(error: str) -> str:
    """Return an error of the protocol; the text of a query, which anybody can write, is not shown."""
    return error if re.fullmatch(r"[a-z_]{1,40}", error or "") else "invalid answer"
