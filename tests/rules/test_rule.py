"""Which operations a rule fits, and which rule decides."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from diffsync_store.diff import DiffElement
from diffsync_store.rules import Decision, Rule, Rules
from tests.rules.elements import element

UPDATE = element(source={"site": "lab-2", "note": "b"}, target={"site": "lab-1", "note": "a"})
MOVED = element(source={"site": "lab-1", "note": "a"}, target={"site": "hq", "note": "a"})
CREATE = element(source={"site": "lab-1", "note": None, "tags": ["a", "b"], "on": True, "size": 1})
DELETE = element(target={"site": "hq", "note": "a"}, absent_loads=2)


def rule(**parts: Any) -> Rule:
    return Rule.model_validate({"then": "apply", **parts})


@pytest.mark.parametrize(
    ("parts", "changed", "fits"),
    [
        ({}, UPDATE, True),
        ({"model": "vl*"}, UPDATE, True),
        ({"model": "VLAN"}, UPDATE, False),
        ({"action": "delete"}, UPDATE, False),
        ({"action": "delete"}, DELETE, True),
        ({"attributes": ["note"]}, UPDATE, False),  # the site would be applied too
        ({"attributes": ["note", "si*"]}, UPDATE, True),
        ({"attributes": ["note"], "then": "hold"}, UPDATE, True),
        ({"attributes": ["name"], "then": "hold"}, UPDATE, False),
        ({"attributes": ["note"]}, CREATE, False),
        ({"where": {"site": "lab-*"}}, UPDATE, True),
        ({"where": {"site": "lab-*"}}, MOVED, False),  # it comes from elsewhere
        ({"where": {"site": "lab-*"}, "then": "review"}, MOVED, True),
        ({"where": {"site": ["lab-*", "hq"]}}, MOVED, True),
        ({"where": {"site": "hq"}}, DELETE, True),
        ({"where": {"vid": "1?"}}, DELETE, True),
        ({"where": {"vid": 10}}, DELETE, True),  # the field is a text
        ({"where": {"note": None}}, CREATE, True),
        ({"where": {"note": "*"}}, CREATE, False),
        ({"where": {"on": True}}, CREATE, True),
        ({"where": {"on": 1}}, CREATE, False),
        ({"where": {"on": "true"}}, CREATE, True),
        ({"where": {"size": 1}}, CREATE, True),
        ({"where": {"size": True}}, CREATE, False),
        ({"where": {"tags": "a"}}, CREATE, False),
        ({"where": {"tags": "[ab]"}}, CREATE, True),
        ({"where": {"tags": "a"}, "then": "hold"}, CREATE, True),
        ({"where": {"missing": "*"}}, CREATE, False),
        ({"action": "delete", "unless": {"older_than": "3 runs"}, "then": "hold"}, DELETE, True),
        ({"action": "delete", "unless": {"older_than": "2 runs"}, "then": "hold"}, DELETE, False),
    ],
)
def test_a_rule_fits_what_it_names(parts: dict[str, Any], changed: DiffElement, *, fits: bool) -> None:
    assert rule(**parts).fits(changed) is fits


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"attributes": ["a"], "action": "delete"}, "attributes are of updates"),
        ({"approvers": 2}, "approvers are for `then: review`"),
        ({"unless": {"older_than": "3 runs"}}, "add `action: delete`"),
        ({"action": "delete", "unless": {"older_than": "3 days"}}, "such as '3 runs'"),
        ({"action": "delete", "unless": {"older_than": "0 runs"}}, "such as '3 runs'"),
        ({"then": "aply"}, "'apply', 'review', 'hold' or 'ignore'"),
        ({"wehre": {"site": "hq"}}, "wehre"),
    ],
)
def test_a_wrong_rule_says_what_to_write(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as raised:
        rule(**parts)
    assert message in str(raised.value)


def test_the_first_rule_that_fits_decides_and_then_the_approval() -> None:
    found = Rules(
        all=(
            rule(where={"site": "lab-*"}, name="lab"),
            rule(action="delete", unless={"older_than": "3 runs"}, then="hold"),
            rule(action="delete", then="review", approvers=2),
        ),
        approval="always",
    )
    assert found.ruling(UPDATE).rule == "lab"
    assert found.ruling(MOVED).decision is Decision.REVIEW
    assert not found.ruling(MOVED).rule
    assert found.ruling(DELETE).decision is Decision.HOLD
    assert found.ruling(DELETE).rule == "delete unless absent in 3 loads in a row: hold"
    old = element(target={"site": "hq"}, absent_loads=3)
    assert (found.ruling(old).decision, found.ruling(old).approvers) == (Decision.REVIEW, 2)


@pytest.mark.parametrize(
    ("approval", "decisions"),
    [("never", ["apply"] * 3), ("deletes", ["apply", "apply", "review"]), ("always", ["review"] * 3)],
)
def test_the_approval_decides_where_no_rule_fits(approval: Any, decisions: list[str]) -> None:
    found = Rules(all=(rule(model="other"),), approval=approval)
    assert [found.ruling(each).decision.value for each in (CREATE, UPDATE, DELETE)] == decisions


def test_a_rule_of_an_unknown_name_is_found() -> None:
    found = Rules(all=(rule(model="vlna"), rule(where={"stie": "hq"}), rule(attributes=["not*", "x*"])))
    assert [position for position, _ in found.unknown_models(["vlan"])] == [0]
    assert [
        (position, message) for position, message in found.unknown_fields({"vlan": frozenset({"site", "note"})})
    ] == [
        (1, "vlan has no field 'stie'. The fields are: note, site"),
        (2, "vlan has no field 'x*'. The fields are: note, site"),
    ]
    assert not list(found.unknown_fields({"vlan": None}))
