"""What is declared of a NetBox and of the records of a model in it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from diffsync_store.adapters.rest import Paging, RestRecords, RestSettings, Writing

_PREFIX_OF_V2 = "nbt_"
"""How a token of version 2 begins; it is sent as a `Bearer`."""


class NetBoxSettings(RestSettings):
    """How a NetBox is reached: `url` is its address, `token` one of its tokens, of version 1 or 2."""

    token_scheme: str = ""
    """`Bearer` for a token of version 2 and else `Token`, unless it is set."""
    items: str = "results"
    paging: Paging = Paging(kind="cursor", size=500)
    """`size` is the number of records of a page; lists are read by ranges of ids."""
    writing: Writing = Writing(bulk=True, bulk_size=200)
    changelog_message: str = ""
    """A message that NetBox keeps with each change."""

    @model_validator(mode="before")
    @classmethod
    def _complete_address(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = dict(value)
        url = str(found.get("url", "")).rstrip("/")
        if url and not url.endswith("/api"):
            found["url"] = f"{url}/api"
        found["token_scheme"] = found.get("token_scheme") or _scheme_of(found.get("token"))
        return found


class NetBoxRecords(RestRecords):
    """How the records of a model are found in a NetBox."""

    part_of: str = ""
    """A model whose records have the fields of this one too: `device` for the primary address of a device. A create or a delete of
    such a record changes the fields of the other, which exists already."""


def _scheme_of(token: Any) -> Literal["Bearer", "Token"]:
    reveal = getattr(token, "get_secret_value", None)
    text = str(reveal() if reveal is not None else token)
    return "Bearer" if text.startswith(_PREFIX_OF_V2) else "Token"
