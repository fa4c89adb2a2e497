"""Checks of docker/ without a Docker engine: the files are read and compared."""

import copy
import json
import platform
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from diffsync_store.adapters.registry import TYPES
from tools.lock import pinned

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSE_TEXT = (DOCKER / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text("utf-8")
POOLS = {"diffsync-load", "diffsync-diff", "diffsync-sync", "diffsync-reconcile"}

SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "tests/compose_schema.yaml").read_text("utf-8"))
NO_TELEMETRY = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

each_service = pytest.mark.parametrize("name", SERVICES)


def referenced_variables() -> set[str]:
    """Return the variables of the file; `$$` is a dollar sign for the shell in the container."""
    return set(re.findall(r"\$\{(\w+)[^}]*\}", COMPOSE_TEXT.replace("$$", "")))


def documented_variables() -> dict[str, str]:
    lines = (DOCKER / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def schema_errors(document: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_compose_file_is_valid_by_the_compose_specification() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert schema_errors(COMPOSE) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("services", "stores", "comand"), ["valkey-server"]),
        (("services", "stores", "restart"), "sometimes"),
        (("services", "stores", "environment", "REDISCLI_AUTH"), ["a"]),
        (("services", "stores", "healthcheck", "interval"), "5 seconds"),
        (("services", "stores", "volumes"), ["stores"]),
        (("services", "deploy", "depends_on", "prefect-server", "condition"), "healthy"),
        (("services", "proxy", "ports"), ["4200:http"]),
        (("volumes", "stores"), "a folder"),
        (("service",), {}),
    ],
)
def test_the_schema_finds_invalid_values(place: tuple[str, ...], value: Any) -> None:
    broken = copy.deepcopy(COMPOSE)
    part = broken
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    assert schema_errors(broken) != []


def test_every_dependency_is_a_service_of_the_file() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_hadolint_reports_nothing() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        assert (sys.platform, platform.machine()) != ("linux", "x86_64"), "make setup brings hadolint"
        pytest.skip("there is no hadolint for this machine")
    done = subprocess.run([linter, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, done.stdout) == (0, "")


@each_service
def test_an_image_is_pinned_or_built_here(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    assert image
    assert re.match(r"\d+\.\d+", tag)


@each_service
def test_a_service_depends_on_services_with_a_health_check(name: str) -> None:
    for other, wish in SERVICES[name].get("depends_on", {}).items():
        assert wish["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        assert wish["condition"] != "service_completed_successfully" or SERVICES[other]["restart"] == "on-failure"


@each_service
def test_long_running_services_have_a_health_check_and_others_have_none(name: str) -> None:
    service = SERVICES[name]
    if service["restart"] == "unless-stopped" and name not in {"prefect-services", "resume"}:  # which answer to nobody
        assert service["healthcheck"]["test"][0] == "CMD"
    else:
        assert service["healthcheck"] == {"disable": True}


def test_workers_use_the_health_check_of_the_image() -> None:
    in_image = re.search(r"^HEALTHCHECK (.+?) \\\n +CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert in_image is not None
    options = dict(re.findall(r"--([a-z-]+)=(\S+)", in_image[1]))
    check = SERVICES["worker-load"]["healthcheck"]
    assert check["test"] == ["CMD", *json.loads(in_image[2])]
    assert {name.replace("-", "_"): value for name, value in options.items()} == {
        name: str(value) for name, value in check.items() if name != "test"
    }


@each_service
def test_a_volume_is_declared_or_a_file_of_the_checkout_that_is_only_read(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (DOCKER / source).exists()
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


@each_service
def test_services_with_data_or_work_have_a_stop_grace_period(name: str) -> None:
    service = SERVICES[name]
    keeps_data = any(not mount.startswith(".") for mount in service.get("volumes", []))
    assert not (keeps_data or name.startswith("worker-")) or service["stop_grace_period"] == "60s"


@pytest.mark.parametrize("name", [name for name in SERVICES if "build" in SERVICES[name]])
def test_telemetry_is_switched_off_in_every_service(name: str) -> None:
    assert NO_TELEMETRY.items() <= SERVICES[name]["environment"].items()
    for setting, value in NO_TELEMETRY.items():
        assert f"{setting}={value}" in DOCKERFILE


def test_pages_are_served_by_the_proxy_whose_policy_forbids_requests_to_other_hosts() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["proxy"]
    rules = (DOCKER / "Caddyfile").read_text("utf-8")
    assert """header Content-Security-Policy "connect-src 'self'\"""" in rules
    assert "reverse_proxy prefect-server:4200" in rules


def test_redis_saves_to_disk_requires_a_password_and_evicts_nothing() -> None:
    command = " ".join(SERVICES["stores"]["command"])
    for option in ("--requirepass ${STORES_PASSWORD:?}", "--appendonly yes", "--maxmemory-policy noeviction"):
        assert option in command


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    assert referenced_variables() == set(documented_variables())


def test_no_secret_has_a_default() -> None:
    assert not any(documented_variables().values())
    assert not re.findall(r"\$\{\w+:?-", COMPOSE_TEXT)
    assert set(re.findall(r"\$\{\w+([^}]*)\}", COMPOSE_TEXT)) == {":?"}


def test_no_port_is_open_to_other_hosts() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_review_page_believes_the_proxy_only_which_replaces_what_clients_send() -> None:
    declared = yaml.safe_load((ROOT / "deployments/syncs.yaml").read_text("utf-8"))["serve"]
    trusted = declared["identity"]["proxy"]["trusted"]
    [subnet] = COMPOSE["networks"]["review"]["ipam"]["config"]
    assert trusted == [subnet["subnet"]]
    assert {name for name, service in SERVICES.items() if "review" in service.get("networks", [])} == {
        "proxy",
        "review",
    }
    assert "ports" not in SERVICES["review"]
    rules = (DOCKER / "Caddyfile").read_text("utf-8")
    page = rules[rules.index(":4280 {") :]
    assert "basic_auth" in page
    for header in (declared["identity"]["proxy"]["header"], f"-{declared['identity']['proxy']['groups_header']}"):
        assert f"header_up {header}" in page
    assert declared["base_url"].endswith(":4280")


def test_server_processes_share_their_settings() -> None:
    first = SERVICES["prefect-server"]["environment"]
    assert SERVICES["prefect-services"]["environment"] == SERVICES["migrate"]["environment"] == first


def test_each_pool_has_a_worker_of_its_own_with_a_unique_name() -> None:
    commands = [" ".join(service["command"]) for name, service in SERVICES.items() if name.startswith("worker-")]
    found = [re.search(r"--pool (\S+) --name (\w+)-\$\$HOSTNAME", command) for command in commands]
    pools = {match[1]: match[2] for match in found if match}
    assert set(pools) == POOLS
    assert len(set(pools.values())) == len(commands)


def test_only_workers_that_connect_to_the_systems_have_their_secrets() -> None:
    assert {name for name, service in SERVICES.items() if "env_file" in service} == {"worker-load", "worker-sync"}


def test_the_deploy_step_runs_diffsync_flows_deploy() -> None:
    assert SERVICES["deploy"]["command"] == ["diffsync-flows", "deploy", "--yes"]


def test_the_deployments_use_these_pools() -> None:
    document = yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text("utf-8"))
    assert {deployment["work_pool"]["name"] for deployment in document["deployments"]} <= POOLS


def test_the_image_copies_files_that_exist_and_are_not_ignored() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert let_in <= copied
    assert all(let_in & {source, *map(str, Path(source).parents)} for source in copied)
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_runs_without_root_from_a_pinned_base() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"python:3.13-slim"}
    last_user = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1]
    assert last_user == "10001:10001"


def test_the_image_has_no_development_tools() -> None:
    lock = (DOCKER / "requirements.lock").read_text("utf-8")
    assert not re.search(r"^(pytest|ruff|mypy|playwright|hypothesis)==", lock, re.MULTILINE)
    assert re.search(r"^prefect-redis==", lock, re.MULTILINE)


def test_no_module_hides_the_docker_sdk() -> None:
    assert not [path for path in DOCKER.iterdir() if fnmatch(path.name, "*.py")]


@pytest.mark.parametrize("name", TYPES)
def test_the_image_has_the_packages_of_every_ready_adapter(name: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    locked = {package.partition("==")[0] for package, _ in pinned((DOCKER / "requirements.lock").read_text("utf-8"))}

    def packages(extra: str) -> set[str]:
        found: set[str] = set()
        for requirement in map(Requirement, extras[extra]):
            own = requirement.name == "diffsync-store"
            found |= set().union(*map(packages, requirement.extras)) if own else {canonicalize_name(requirement.name)}
        return found

    assert packages(TYPES[name].extra) <= locked
