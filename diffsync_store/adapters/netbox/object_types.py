"""NetBox's names of its models, by the paths of their lists."""

from __future__ import annotations

_IRREGULAR = {
    "virtualization/interfaces": "virtualization.vminterface",
    "dcim/virtual-chassis": "dcim.virtualchassis",
}

FRONT_PORTS = {"dcim/front-ports": "dcim/rear-ports", "dcim/front-port-templates": "dcim/rear-port-templates"}
"""The lists of front ports, each with the list of their rear ports."""


def object_type(path: str) -> str:
    """Return the object type of a list: `dcim.devicetype` for `dcim/device-types/`."""
    path = path.strip("/")
    if path in _IRREGULAR:
        return _IRREGULAR[path]
    *above, plural = path.split("/")
    app = above[-1].replace("-", "_") if above else ""  # `plugins/bgp/sessions` is of the app `bgp`
    return f"{app}.{_singular(plural).replace('-', '')}"


def permission(method: str, path: str) -> str:
    """Return the permission that a request needs: `dcim.add_devicetype`."""
    action = {"POST": "add", "PATCH": "change", "PUT": "change", "DELETE": "delete"}.get(method, "view")
    app, _, model = object_type(list_of(path)).partition(".")
    return f"{app}.{action}_{model}"


def list_of(path: str) -> str:
    """Return the path of the list that a record's path is below."""
    head, _, last = path.strip("/").rpartition("/")
    return head if last.isdigit() else path.strip("/")


def _singular(plural: str) -> str:
    if plural.endswith("ies"):
        return plural.removesuffix("ies") + "y"
    if plural.endswith(("sses", "xes", "ches", "shes")):
        return plural.removesuffix("es")
    return plural.removesuffix("s")
