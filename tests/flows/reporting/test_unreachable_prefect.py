"""Publishing to a Prefect server that does not answer does not fail the run."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_URL, temporary_settings

from airports.demo.ports import free_port
from diffsync_flows.reporting.artifacts import publish_housekeeping
from diffsync_flows.reporting.links import run_link
from diffsync_store.retention import ExpiredItem


@pytest.fixture
def no_prefect() -> Iterator[None]:
    address = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: address}), disable_run_logger():
        yield


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Artifact creation outside of a flow:FutureWarning")  # it is never created
def test_a_run_does_not_fail_if_its_artifact_cannot_be_published(no_prefect: None) -> None:
    publish_housekeeping(
        [ExpiredItem("store", "old", timedelta(hours=90), "")], {"dropped": 1, "kept": 0}, dry_run=False
    )


@pytest.mark.slow
def test_a_run_that_cannot_be_found_has_no_link(no_prefect: None) -> None:
    assert run_link("load", "store:x") == ""
