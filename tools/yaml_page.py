"""Write what is made from the schema of the file: the tables of docs/reference/yaml.md, and deployments/syncs.schema.json.

python -m tools.yaml_page
"""

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from diffsync_flows.cli.export import schema_text
from diffsync_flows.config.schema import PrefectDeclarations
from diffsync_store.mapping import RecordMapping
from diffsync_store.project import format_duration
from diffsync_store.project.messages import as_yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/yaml.md"
_TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = {"string": "text", "boolean": "true or false", "integer": "integer", "number": "number", "object": "mapping"}
_SECTIONS = {
    "AdapterEntry": "adapters",
    "SyncEntry": "syncs",
    "StoreSettings": "store",
    "ModelDefinition": "models",
    "FieldDefinition": "fields",
    "Reference": "references",
    "RecordMapping": "records",
    "FieldMapping": "fields-of-records",
    "Rule": "rules",
    "Unless": "rules",
    "WorkPools": "work-pools",
    "ChangeLimits": "change-limits",
    "Limits": "limits",
    "Limit": "limit",
    "ServeSettings": "serve",
    "NotifyAddress": "notify",
    "Window": "windows",
    "CanaryEntry": "canary",
    "ProxyIdentity": "proxy",
    "OidcIdentity": "oidc",
    "TokenIdentity": "tokens",
}
"""Headings of the page that differ from the names of the models."""


def with_tables(page: str) -> str:
    """Return the page with tables for the current schema."""
    models = tables()
    return _TABLE.sub(lambda found: f"{found[1]}\n{_table(models[found[2]])}\n\n{found[3]}", page)


def tables() -> dict[str, Any]:
    """Return the schema of each part of the file that has a table. The keys that one type adds are on the type's own page."""
    parts: tuple[type[BaseModel], ...] = (PrefectDeclarations, RecordMapping)
    schemas = {part.__name__: part.model_json_schema() for part in parts}
    below = {name: part for schema in schemas.values() for name, part in schema["$defs"].items()}
    return {**below, **schemas}


def _table(model: dict[str, Any]) -> str:
    rows = ["| key | value | default | |", "|---|---|---|---|"]
    required = model.get("required", [])
    for key, part in model["properties"].items():
        default = "required" if key in required else _default(part)
        rows.append(f"| `{key}` | {_kind(part)} | {default} | {' '.join(part.get('description', '').split())} |")
    return "\n".join(rows)


def _kind(part: dict[str, Any]) -> str:  # noqa: PLR0911  # one return for each form
    if _is_duration(part):
        return "duration"
    option = next(each for each in part.get("anyOf", [part]) if each.get("type") != "null")
    if "$ref" in option:
        name = option["$ref"].rsplit("/", 1)[-1].removeprefix("Prefect")
        return f"[mapping](#{_SECTIONS.get(name, name.lower())})"
    if "oneOf" in option:
        return ", ".join(map(_kind, option["oneOf"]))
    if words := option.get("enum") or [option[key] for key in ("const",) if key in option]:
        return ", ".join(f"`{each}`" for each in words)
    if option.get("type") == "array":
        items = option.get("items", {})
        if "$ref" in items:
            return f"list of {_kind(items).replace('mapping', 'mappings')}"
        return "list of texts" if items.get("type") == "string" else "list"
    inner = option.get("additionalProperties")
    if isinstance(inner, dict):
        return "mapping" if "oneOf" in inner else f"name: {_kind(inner)}"
    return _TYPES[option["type"]] if "type" in option else "any value"


def _is_duration(part: dict[str, Any]) -> bool:
    options = [each for option in part.get("anyOf", []) for each in (option, *option.get("anyOf", []))]
    return any("pattern" in option for option in options)


def _default(part: dict[str, Any]) -> str:
    default = part.get("default")
    if default in (None, "", {}, []) or "$ref" in str(part):
        return ""
    return f"`{format_duration(default) if _is_duration(part) else as_yaml(default)}`"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
    (ROOT / "deployments/syncs.schema.json").write_text(schema_text(), "utf-8")
