"""Types of optional flow parameters. Their forms have a plain field, and no switch between a value and null.

Runs that were started or scheduled with null, as earlier versions did, get the empty value.
"""

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from diffsync_store.runs import Selection


def _empty_if_null(empty: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: empty if value is None else value)


Text: TypeAlias = Annotated[str, _empty_if_null("")]
Texts: TypeAlias = Annotated[tuple[str, ...], _empty_if_null(())]
Selections: TypeAlias = Annotated[tuple[Selection, ...], _empty_if_null(())]
Switch: TypeAlias = Annotated[bool, _empty_if_null(False)]


def without_empty_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter schema without the defaults that are empty: Prefect's API accepts null for those only."""
    properties = {
        name: {key: value for key, value in part.items() if key != "default" or value not in ("", [])}
        for name, part in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}
