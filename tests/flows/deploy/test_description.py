from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.deploy.description import describe_step, describe_sync


def entry(**more: object) -> PrefectSyncEntry:
    return PrefectSyncEntry.model_validate({"source": "a", "target": "b", **more})


def test_the_page_says_who_approves_and_what_limits_a_sync() -> None:
    guards = {"change_limits": {"per_model": {"delete": {"percent": 5}}}}
    shown = describe_sync("Apply.", entry(approval="deletes", description="Nightly.", guards=guards))
    assert shown.startswith("Apply.\n\nNightly.\n\n**Approval:** a person must approve a diff that deletes something.")
    assert "deletes that a partial or empty load does not prove are left out" in shown
    assert "per_model:\n      delete:\n" in shown
    assert "percent: 5" in shown


def test_a_sync_without_limits_says_so() -> None:
    shown = describe_sync("Apply.", entry())
    assert "**Approval:** none." in shown
    assert shown.endswith("No limit is declared for the number of changes.")
    assert "a person must approve every diff" in describe_sync("Apply.", entry(approval="always"))


def test_secrets_of_the_file_are_redacted() -> None:
    guards = {"change_limits": {"models": {"hunter2-device": {"delete": {"percent": 5}}}}}
    shown = describe_sync("Apply.", entry(guards=guards), lambda text: text.replace("hunter2", "***"))
    assert "***-device" in shown
    assert "hunter2" not in shown


def test_a_step_without_a_description_is_described_by_what_it_does() -> None:
    assert describe_step("Load.", "") == "Load."
