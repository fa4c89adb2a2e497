from typing import Any

import pytest

from diffsync_flows.deploy.deployment import FLOWS, Deployment
from diffsync_store.runs import Selection

OPTIONAL: dict[str, dict[str, Any]] = {
    "load": {"store_id": ""},
    "diff": {"source_store_id": "", "target_store_id": "", "diff_id": "", "sync_name": ""},
    "sync": {"allow": (), "select": (), "exclude": (), "sync_name": "", "agent_of": "", "dry_run": False},
    "undo": {"undo_id": "", "allow": (), "sync_name": ""},
    "reconcile": {"dry_run": False},
    "housekeeping": {"dry_run": False},
}
REQUIRED = {
    "load": {"adapter": "a"},
    "sync": {"diff_id": "d"},
    "undo": {"diff_id": "d"},
    "reconcile": {"sync_name": "s"},
}


def properties(flow: str) -> dict[str, dict[str, Any]]:
    content = Deployment(flow=flow, name="x", description="", work_pool="p").content()
    found: dict[str, dict[str, Any]] = content["parameter_openapi_schema"]["properties"]
    return found


@pytest.mark.parametrize("flow", FLOWS)
def test_no_form_has_a_switch_between_a_value_and_null(flow: str) -> None:
    for name, part in properties(flow).items():
        assert "anyOf" not in part, name
        assert "type" in part or "$ref" in part, name


@pytest.mark.parametrize("flow", OPTIONAL)
def test_parameters_stored_as_null_are_empty(flow: str) -> None:
    stored = dict.fromkeys(OPTIONAL[flow]) | REQUIRED.get(flow, {})
    found = FLOWS[flow].validate_parameters(stored)
    assert {name: found[name] for name in OPTIONAL[flow]} == OPTIONAL[flow]


def test_an_empty_default_is_not_in_the_schema_so_that_the_api_accepts_null() -> None:
    found = properties("sync")
    assert "default" not in found["allow"]
    assert "default" not in found["sync_name"]
    assert found["dry_run"]["default"] is False


def test_values_are_kept() -> None:
    given = {"diff_id": "d", "allow": ["partial:item"], "select": [{"model": "item"}]}
    found = FLOWS["sync"].validate_parameters(given)
    assert (found["allow"], found["select"]) == (("partial:item",), (Selection(model="item"),))
