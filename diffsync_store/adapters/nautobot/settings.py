"""How a Nautobot is reached and read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from diffsync_store.adapters.rest import Paging, RestSettings, Writing


class NautobotSettings(RestSettings):
    """How a Nautobot is reached: `url` is its address with `/api/`, `token` one of its tokens."""

    token_scheme: str = "Token"  # noqa: S105  # the name of a scheme
    items: str = "results"
    paging: Paging = Paging(kind="offset", size=500, total="count")
    writing: Writing = Writing(bulk=True, bulk_size=200)
    api_version: str = Field(default="", pattern=r"^(\d+\.\d+)?$")
    """The version of the REST API to ask for, such as `3.1`; by default Nautobot's own."""
    graphql: Literal["auto", "always", "never"] = "auto"
    """`auto` reads long lists by GraphQL if it has all that the mapping reads; `always` fails if it has not."""
    graphql_from: int = Field(default=5000, ge=1)
    """Records from which on a list is long."""
    graphql_size: int = Field(default=50_000, ge=1)
    """Records of one query by GraphQL. One query sees one state of the list, and is faster than several."""

    def with_version(self) -> NautobotSettings:
        """Return the settings with the header that asks for the version."""
        if not self.api_version:
            return self
        accept = SecretStr(f"application/json; version={self.api_version}")
        return self.model_copy(update={"headers": {**self.headers, "Accept": accept}})
