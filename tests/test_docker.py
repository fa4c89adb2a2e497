"""What can be said of docker/ without a Docker engine: the files are read and held against each other."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSE_TEXT = (DOCKER / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text("utf-8")
POOLS = {"diffsync-load", "diffsync-diff", "diffsync-sync", "diffsync-reconcile"}

SERVICE_KEYS = {
    *(
        "build",
        "command",
        "depends_on",
        "env_file",
        "environment",
        "healthcheck",
        "image",
        "init",
        "ports",
        "restart",
        "volumes",
    ),
}
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}

each_service = pytest.mark.parametrize("name", SERVICES)


def referenced_variables() -> set[str]:
    """`$$` is a dollar sign for the shell inside of the container and none of ours."""
    return set(re.findall(r"\$\{(\w+)[^}]*\}", COMPOSE_TEXT.replace("$$", "")))


def documented_variables() -> dict[str, str]:
    lines = (DOCKER / "env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@each_service
def test_a_service_uses_known_keys_with_values_of_the_right_kind(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= SERVICE_KEYS
    assert service["restart"] in {"unless-stopped", "on-failure"}
    assert all(isinstance(part, str) for part in service.get("command", []))
    assert all(isinstance(value, str) for value in service.get("environment", {}).values())


@each_service
def test_an_image_is_pinned_or_built_here(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    assert image
    assert re.match(r"\d+\.\d+", tag)


@each_service
def test_a_service_waits_for_services_that_can_say_that_they_are_ready(name: str) -> None:
    for other, wish in SERVICES[name].get("depends_on", {}).items():
        assert wish["condition"] in CONDITIONS
        assert wish["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        assert wish["condition"] != "service_completed_successfully" or SERVICES[other]["restart"] == "on-failure"


@each_service
def test_what_runs_on_is_watched(name: str) -> None:
    service = SERVICES[name]
    runs_on = service["restart"] == "unless-stopped" and name != "prefect-services"  # which answers to nobody
    assert not runs_on or set(service["healthcheck"]) <= HEALTHCHECK_KEYS
    assert not runs_on or service["healthcheck"]["test"][0] == "CMD"


@each_service
def test_a_volume_is_declared(name: str) -> None:
    assert {mount.split(":")[0] for mount in SERVICES[name].get("volumes", [])} <= set(COMPOSE["volumes"])


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    assert referenced_variables() == set(documented_variables())


def test_no_secret_has_a_default() -> None:
    assert not any(documented_variables().values())
    assert not re.findall(r"\$\{\w+:?-", COMPOSE_TEXT)
    assert set(re.findall(r"\$\{\w+([^}]*)\}", COMPOSE_TEXT)) == {":?"}


def test_nothing_is_reached_from_other_hosts() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_server_processes_share_the_settings_that_they_must_share() -> None:
    first = SERVICES["prefect-server"]["environment"]
    assert SERVICES["prefect-services"]["environment"] == SERVICES["migrate"]["environment"] == first


def test_each_pool_has_a_worker_of_its_own_with_a_unique_name() -> None:
    commands = [" ".join(service["command"]) for name, service in SERVICES.items() if name.startswith("worker-")]
    found = [re.search(r"--pool (\S+) --name (\w+)-\$\$HOSTNAME", command) for command in commands]
    pools = {match[1]: match[2] for match in found if match}
    assert set(pools) == POOLS
    assert len(set(pools.values())) == len(commands)


def test_only_the_workers_that_speak_to_the_systems_know_their_secrets() -> None:
    assert {name for name, service in SERVICES.items() if "env_file" in service} == {"worker-load", "worker-sync"}


def test_the_deploy_step_makes_every_pool() -> None:
    assert set(re.findall(r"diffsync-\w+", SERVICES["deploy"]["command"][-1])) == POOLS


def test_the_deployments_ask_for_these_pools() -> None:
    document = yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text("utf-8"))
    assert {deployment["work_pool"]["name"] for deployment in document["deployments"]} <= POOLS


def test_the_image_is_made_of_files_that_exist_and_reach_the_builder() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_runs_as_nobody_special_from_a_pinned_base() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"python:3.13-slim"}
    last_user = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1]
    assert last_user == "diffsync"


def test_the_image_holds_no_tool_of_development() -> None:
    lock = (DOCKER / "requirements.lock").read_text("utf-8")
    assert not re.search(r"^(pytest|ruff|mypy|playwright|hypothesis)==", lock, re.MULTILINE)
    assert re.search(r"^prefect-redis==", lock, re.MULTILINE)


def test_no_module_hides_the_docker_sdk() -> None:
    assert not [path for path in DOCKER.iterdir() if fnmatch(path.name, "*.py")]
