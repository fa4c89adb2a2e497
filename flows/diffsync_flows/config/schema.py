"""The keys of a project file that Prefect adds: schedules, work pools, chains, approvals that time out, and metrics."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.types.names import BANNED_CHARACTERS
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from diffsync_store.project import (
    DAY,
    PROJECT,
    AdapterEntry,
    Declaration,
    Declarations,
    Housekeeping,
    Location,
    Name,
    Seconds,
    StoreSettings,
    SyncEntry,
    format_duration,
    validate_timezone,
)

CRON_WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
CRON_FIELDS = 5
RARE_DAYS = re.compile("29|30|31")
"""Days that do not exist in every month."""
ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
"""Start of every interval: a constant, so that a deployment does not change."""


def validate_work_pool(name: str) -> str:
    """Check a name by Prefect's rules for work pools."""
    if not name.strip("' \"") or set(name) & set(BANNED_CHARACTERS):
        raise ValueError(
            f"Prefect does not accept this as the name of a work pool. Use letters, and none of {' '.join(BANNED_CHARACTERS)}"
        )
    if name.lower().startswith("prefect"):
        raise ValueError("Prefect reserves names that start with 'prefect'. Use another name for the work pool.")
    return name


def validate_pushgateway(url: str) -> str:
    """Check the URL of a Pushgateway."""
    if not re.match(r"(https?://)?[^\s/:]", url) or ("://" in url and not url.startswith("http")):
        raise ValueError("give the URL of the Pushgateway, e.g. http://pushgateway:9091")
    return url


def validate_page(url: str) -> str:
    """Check the address of a page; return it without a slash at its end."""
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ValueError("give an address such as https://prefect.example.com, without user, password and query")
    return url.rstrip("/")


WorkPool = Annotated[str, AfterValidator(validate_work_pool)]


class Schedule(Declaration):
    """When a deployment runs: a `cron` line, or an `interval`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cron": "30 2 * * 1-5", "timezone": "Europe/Zurich"}]})

    cron: str | None = None
    """Five fields: minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly or @yearly."""
    interval: Seconds | None = None
    """Time from one start to the next."""
    timezone: Annotated[str, AfterValidator(validate_timezone)] = "UTC"
    """IANA name such as Europe/Zurich; `cron` follows its daylight saving time."""
    active: bool = True
    """Whether the schedule runs. The UI shows an inactive one and can activate it."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("give either cron or interval")
        if self.cron is not None and not self._is_cron():
            raise ValueError(f"{self.cron!r} is not a cron line. Give five fields, e.g. 30 2 * * 1-5, or @daily.")
        if self.cron is not None and not occurs(self.cron):
            raise ValueError(f"{self.cron!r} never occurs: none of its months has such a day")
        return self

    def _is_cron(self) -> bool:
        if self.cron not in CRON_WORDS and len((self.cron or "").split()) != CRON_FIELDS:
            return False  # Prefect would read a sixth field as seconds
        try:
            self.to_prefect()
        except ValidationError:
            return False
        return True

    def to_prefect(self) -> CronSchedule | IntervalSchedule:
        """Return Prefect's schedule."""
        if self.cron is not None:
            return CronSchedule(cron=self.cron, timezone=self.timezone)
        interval = timedelta(seconds=self.interval or 0)
        return IntervalSchedule(interval=interval, timezone=self.timezone, anchor_date=ANCHOR)


@lru_cache(maxsize=1024)
def occurs(cron: str) -> bool:
    """Return whether Prefect finds a date for a cron line. Only a rare day of the month can have none."""
    if cron in CRON_WORDS or not RARE_DAYS.search(cron.split()[2]):
        return True
    from prefect.server.schemas.schedules import CronSchedule as CronDates  # it takes long, and few files need it

    try:
        return bool(run_coro_as_sync(CronDates(cron=cron).get_dates(n=1)))
    except ValueError:
        return False


class PrefectAdapterEntry(AdapterEntry):
    """An adapter: its type or class, the settings to create it with, and when and where it is loaded."""

    schedule: Schedule | None = None
    """When it is loaded; each reconcile loads it too."""
    work_pool: WorkPool | None = None
    """Prefect work pool whose workers load it; PROJECT-load by default."""


class Chain(Declaration):
    """Steps that events start automatically, without a reconcile."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"diff_after_load": True, "sync_after_diff": True}]})

    diff_after_load: bool = False
    """Diff after each load of the source, with the target's newest complete store."""
    sync_after_diff: bool = False
    """Sync after each saved diff that has operations. If it needs an approval, the sync asks for it."""


class WorkPools(Declaration):
    """Prefect work pools whose workers run the steps of a sync. For the loads, see the adapters."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sync": "site-a"}]})

    diff: WorkPool | None = None
    """PROJECT-diff by default."""
    sync: WorkPool | None = None
    """PROJECT-sync by default."""
    reconcile: WorkPool | None = None
    """PROJECT-reconcile by default."""


class PrefectSyncEntry(SyncEntry):
    """A source, a target, how changes are applied, and when and where the steps run."""

    schedule: Schedule | None = None
    """When a reconcile runs."""
    approval_timeout: Seconds = 7 * DAY
    """Time after which a sync that waits for an approval ends."""
    overlap: Literal["enqueue", "skip"] = "enqueue"
    """What a reconcile does if another one of the same target is running: wait (`enqueue`) or skip."""
    chain: Chain = Chain()
    """Steps that start automatically."""
    work_pools: WorkPools = WorkPools()
    """Where the steps run."""
    steps: Literal["separate", "together"] = "separate"
    """How a reconcile runs load, diff and sync: each as a run of its own deployment (`separate`), or all of them in its own
    process (`together`)."""


class PrefectHousekeeping(Housekeeping):
    """How long housekeeping keeps data in Redis, and when and where it runs."""

    schedule: Schedule | None = Schedule(cron="17 3 * * *")
    """When it runs; `null` means never."""
    work_pool: WorkPool | None = None
    """Prefect work pool whose workers run it; PROJECT-reconcile by default."""


class Metrics(Declaration):
    """Where each run writes its Prometheus metrics; by default nowhere."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"textfile_directory": "/var/lib/node_exporter"}]})

    textfile_directory: str | None = None
    """Directory of the node exporter's textfile collector on the workers' host; each deployment writes one file."""
    pushgateway: Annotated[str, AfterValidator(validate_pushgateway)] | None = None
    """URL of a Pushgateway."""


class PrefectDeclarations(Declarations):
    """The whole file."""

    sync_entry = PrefectSyncEntry

    project: Annotated[Name, AfterValidator(validate_work_pool)] = PROJECT
    """Name of the project. It separates the data in Redis and the deployments in Prefect from those of other projects, and the
    names of the work pools start with it."""
    store: StoreSettings
    """The Redis that holds stores and diffs."""
    adapters: Mapping[Name, PrefectAdapterEntry] = Field(
        {}, examples=[{"netbox": {"class": "my_adapters.netbox:NetBox"}}]
    )
    """The systems, by name."""
    syncs: Mapping[Name, PrefectSyncEntry] = Field(
        {}, examples=[{"nightly": {"source": "netbox", "target": "switches"}}]
    )
    """The syncs, by name."""
    housekeeping: PrefectHousekeeping = PrefectHousekeeping()
    """How long data in Redis is kept."""
    metrics: Metrics = Metrics()
    """Where Prometheus metrics go."""
    prefect_ui: Annotated[str, AfterValidator(validate_page)] | None = None
    """Address of Prefect's UI that people open, such as https://prefect.example.com, for the links in notifications; by
    default the one in Prefect's settings."""

    def named_pools(self, sync_name: str) -> dict[str, str]:
        """Return the work pools that the file names for the steps of a sync, by key; the default of a load if the other one is named."""
        sync = self.syncs[sync_name]
        loads = {name: self.adapters[name].work_pool for name in (sync.source, sync.target) if name in self.adapters}
        default = f"{self.project}-load" if any(loads.values()) else None
        named = {f"adapters.{name}.work_pool": pool or default for name, pool in loads.items()}
        named |= {f"syncs.{sync_name}.work_pools.{step}": pool for step, pool in sync.work_pools}
        return {key: pool for key, pool in named.items() if pool}

    def inconsistencies(self) -> Iterator[tuple[Location, str]]:
        """Yield approvals that may come too late, and steps that cannot run together."""
        yield from super().inconsistencies()
        yield from self._late_approvals()
        for name, sync in self.syncs.items():
            pools = self.named_pools(name)
            if sync.steps == "together" and len(set(pools.values())) > 1:
                named = ", ".join(f"{key} is {pool}" for key, pool in pools.items())
                message = (
                    f"the steps cannot share a worker, because their work pools differ: {named}. Name the same work pool in "
                    "all of these keys, or set steps: separate."
                )
                yield ("syncs", name, "steps"), message

    def _late_approvals(self) -> Iterator[tuple[Location, str]]:
        """Yield approvals that may come when the diff or the target's store has expired."""
        for name, sync in self.syncs.items():
            lives = {
                "store.ttl": self.store.ttl,
                "housekeeping.diff_retention": self.housekeeping.diff_retention,
                f"syncs.{name}.diff_retention": sync.diff_retention or self.store.ttl,
            }
            shortest = min(lives, key=lambda each: lives[each])
            if sync.approval != "never" and sync.approval_timeout > lives[shortest]:
                message = (
                    f"{format_duration(sync.approval_timeout)} is longer than {shortest}, {format_duration(lives[shortest])}: the "
                    f"diff would expire before its approval. Lower approval_timeout or raise {shortest}."
                )
                yield ("syncs", name, "approval_timeout"), message
