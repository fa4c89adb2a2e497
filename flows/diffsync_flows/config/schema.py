"""What may stand in the YAML file, as pydantic models; variables are still as they are written."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import available_timezones

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.server.schemas.schedules import CronSchedule as CronDates
from prefect.types.names import BANNED_CHARACTERS
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import ValidationError as PydanticError
from pydantic_core import PydanticCustomError

from diffsync_store import DiffSyncFlags, Guards, SyncOptions

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
CRON_WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
CRON_FIELDS = 5
SELDOM_DAYS = re.compile("29|30|31")
"""Among the days of a month."""
PROJECT = "diffsync"
DAY = 86400
LONGEST = 100 * 365 * DAY
NO_PLACES = {"Factory", "localtime"}
"""Among the time zones of a system: of a host, or of nobody."""
ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
"""From which intervals are counted: always the same, so that a deployment stays as it is."""


def validate_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit")
    return name


def validate_import_path(path: str) -> str:
    if not IMPORT_PATH.fullmatch(path):
        raise ValueError("a class is given as module:Class, such as my_adapters.netbox:NetBoxAdapter")
    return path


def known_flag(name: str) -> str:
    if name not in DiffSyncFlags.__members__:
        raise ValueError(f"no such flag; there are {', '.join(DiffSyncFlags.__members__)}")
    return name


def validate_work_pool(name: str) -> str:
    """What Prefect takes as the name of a work pool."""
    if not name.strip("' \"") or set(name) & set(BANNED_CHARACTERS):
        raise ValueError(
            f"{name!r} is no name of a work pool: it has letters, and none of {' '.join(BANNED_CHARACTERS)}"
        )
    if name.lower().startswith("prefect"):
        raise ValueError(
            f"{name!r} is no name of a work pool: Prefect keeps those that begin with 'prefect' for itself"
        )
    return name


def validate_gateway(url: str) -> str:
    if not re.match(r"(https?://)?[^\s/:]", url) or ("://" in url and not url.startswith("http")):
        raise ValueError("a Pushgateway is given by its URL, such as http://pushgateway:9091")
    return url


Name = Annotated[str, AfterValidator(validate_name)]
Project = Annotated[str, AfterValidator(validate_name), AfterValidator(validate_work_pool)]
ImportPath = Annotated[str, AfterValidator(validate_import_path), Field(examples=["my_adapters.netbox:NetBoxAdapter"])]
WorkPool = Annotated[str, AfterValidator(validate_work_pool)]
Seconds = Annotated[int, Field(gt=0, le=LONGEST)]


def _takes_truth(annotation: Any) -> bool:
    return annotation in {bool, Any} or any(map(_takes_truth, get_args(annotation)))


class Declaration(BaseModel):
    """A part of the file: a word that is not known is a fault."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for the number 1, and YAML takes yes and on for true."""
        if isinstance(value, bool) and not _takes_truth(cls.model_fields[str(info.field_name)].annotation):
            raise PydanticCustomError("other_type", "true and false may not stand here")
        return value


class StoreSettings(Declaration):
    """Where stores and diffs live: a `url`, or the name of a Prefect `block` that holds one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "${REDIS_URL}"}]})

    url: SecretStr | None = None
    """redis://, rediss:// (TLS), unix://, redis+cluster:// or redis+sentinel://; take the password from ${VAR}."""
    block: str | None = None
    """Name of a block of the type "DiffSync store", which holds the URL as a secret."""
    ttl: Seconds = 7 * DAY
    """Seconds after its last use at which a store or a diff expires."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.url is None) == (self.block is None):
            raise ValueError("give a url, or the name of a block, and not both")
        return self


class Schedule(Declaration):
    """When a deployment runs by itself: a `cron` line, or every `interval` seconds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cron": "30 2 * * 1-5", "timezone": "Europe/Zurich"}]})

    cron: str | None = None
    """Five fields: minute, hour, day of month, month, day of week; or one of the words @hourly, @daily, @weekly, @monthly."""
    interval: Seconds | None = None
    """Seconds from one start to the next."""
    timezone: str = "UTC"
    """An IANA name such as Europe/Zurich; `cron` follows its daylight saving."""
    active: bool = True
    """Whether it runs; a schedule that is not active shows in the UI and can be switched on there."""

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones() - NO_PLACES:
            raise ValueError("no such time zone; give an IANA name such as UTC or Europe/Zurich")
        return name

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("give either cron or interval")
        if self.cron is not None and not self._is_cron():
            raise ValueError(f"{self.cron!r} is no cron line: it has five fields, such as 30 2 * * 1-5, or is @daily")
        if self.cron is not None and not comes(self.cron):
            raise ValueError(f"{self.cron!r} never comes: none of its months has such a day")
        return self

    def _is_cron(self) -> bool:
        if self.cron not in CRON_WORDS and len((self.cron or "").split()) != CRON_FIELDS:
            return False  # Prefect would take a sixth field for seconds
        try:
            self.of_prefect()
        except PydanticError:
            return False
        return True

    def of_prefect(self) -> CronSchedule | IntervalSchedule:
        """The schedule as Prefect has it."""
        if self.cron is not None:
            return CronSchedule(cron=self.cron, timezone=self.timezone)
        seconds = timedelta(seconds=self.interval or 0)
        return IntervalSchedule(interval=seconds, timezone=self.timezone, anchor_date=ANCHOR)


@lru_cache(maxsize=1024)
def comes(cron: str) -> bool:
    """Whether Prefect finds a date for a cron line, within fifty years; it is asked about days that not every month has."""
    if cron in CRON_WORDS or not SELDOM_DAYS.search(cron.split()[2]):
        return True
    try:
        return bool(run_coro_as_sync(CronDates(cron=cron).get_dates(n=1)))
    except ValueError:
        return False


class AdapterEntry(Declaration):
    """An adapter: its class as `module:Class`, and the settings that it is made with."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"class": "my_adapters.netbox:NetBox", "settings": {"url": "https://netbox"}}]}
    )

    class_: ImportPath = Field(alias="class")
    """Import path as module:Class; the workers of its pool can import it."""
    settings: dict[str, Any] = Field({}, repr=False, examples=[{"url": "https://netbox", "token": "${NETBOX_TOKEN}"}])
    """Keyword arguments of the class; ${VAR} is taken from the environment of the worker."""
    description: str = ""
    """For the deployment's page."""
    schedule: Schedule | None = None
    """When it is loaded by itself; a reconcile loads it anyhow."""
    work_pool: WorkPool | None = None
    """Prefect work pool whose workers load it; PROJECT-load where none is given."""


class Apply(Declaration):
    """How a diff is applied to the target."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"workers": 8, "retries": 3}]})

    workers: PositiveInt = 1
    """Number of concurrent calls of the target's system."""
    batch_size: PositiveInt = 200
    """Maximum records in one call of an adapter's `..._many` hook; 1 calls the hooks for single records."""
    max_calls_per_second: PositiveFloat | None = None
    """Maximum calls of the target's system in a second."""
    retries: NonNegativeInt = 0
    """Maximum retries of a call after a transient error."""
    backoff: NonNegativeFloat = 0.5
    """Seconds before the first retry; each further retry doubles them."""
    max_failure_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    """Stop the sync when more than this ratio of the operations has failed, such as 0.2."""
    failure_ratio_after: PositiveInt = 20
    """Number of operations before the failure ratio is checked."""
    deletes_last: bool = True
    """Delete after all creates and updates, children before their parents."""
    lookup_first: bool = False
    """Call the model's `lookup` before each operation, and report a record that has changed as a conflict."""
    trust_journal: bool = False
    """Resume a sync after a restart of Redis. Set it only if Redis keeps every write (appendfsync always, no failover)."""


class Chain(Declaration):
    """What follows by itself, by events: without a reconcile, each step as soon as the one before it has ended."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"diff_after_load": True, "sync_after_diff": True}]})

    diff_after_load: bool = False
    """Diff when the source was loaded, with the target's newest complete store."""
    sync_after_diff: bool = False
    """Sync when a diff was saved that has operations; where an approval is needed, the sync asks for it."""


class WorkPools(Declaration):
    """Which workers run the steps of a sync; the adapters say where they are loaded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sync": "site-a"}]})

    diff: WorkPool | None = None
    """PROJECT-diff where none is given."""
    sync: WorkPool | None = None
    """PROJECT-sync where none is given."""
    reconcile: WorkPool | None = None
    """PROJECT-reconcile where none is given."""


class SyncEntry(Declaration):
    """A source, a target, and how the one is brought into the other."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "netbox", "target": "switches"}]})

    source: str = Field(examples=["netbox"])
    """The adapter that is right."""
    target: str = Field(examples=["switches"])
    """The adapter that is changed."""
    description: str = ""
    """For the deployments' pages."""
    schedule: Schedule | None = None
    """When it is reconciled by itself."""
    flags: list[Annotated[str, AfterValidator(known_flag)]] = Field(
        ["CONTINUE_ON_FAILURE"], examples=[["CONTINUE_ON_FAILURE"]]
    )
    """Flags of the diff and the sync, as diffsync's DiffSyncFlags."""
    guards: Guards = Field(
        Guards(),
        description="What a sync must not do",
        examples=[{"change_limits": {"per_model": {"delete": {"percent": 5}}}}],
    )
    approval: Literal["never", "deletes", "always"] = "never"
    """Whether a person has to approve a diff before it is applied: never, where it deletes, or always."""
    approval_timeout: Seconds = 7 * DAY
    """Seconds after which a sync that nobody has approved ends."""
    overlap: Literal["enqueue", "skip"] = "enqueue"
    """What becomes of a reconcile that is due while the one before it runs."""
    retention: Seconds | None = None
    """Seconds for which its diffs are kept, with what was approved and done; the store's `ttl` where it is not given."""
    apply: Apply = Apply()
    """How it is applied."""
    chain: Chain = Chain()
    """What follows by itself."""
    work_pools: WorkPools = WorkPools()
    """Which workers run its steps."""

    @property
    def combined_flags(self) -> DiffSyncFlags:
        return reduce(or_, (DiffSyncFlags[name] for name in self.flags), DiffSyncFlags.NONE)

    def needs_approval(self, summary: Mapping[str, int]) -> bool:
        """Whether a person has to approve a diff with these counts by action."""
        return self.approval == "always" or (self.approval == "deletes" and summary.get("delete", 0) > 0)

    def options(self, **more: Any) -> SyncOptions:
        """The library's options for applying one of its diffs."""
        return SyncOptions(**{**self.apply.model_dump(), **more})


class Housekeeping(Declaration):
    """The flow that lists what is in Redis and drops what nobody needs any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stores": 259200, "diffs": 604800}]})

    stores: Seconds = 3 * DAY
    """Seconds after it was written last at which a store is dropped, unless it is in use."""
    diffs: Seconds = 7 * DAY
    """Seconds after which a saved diff is dropped, with what was approved and done, unless it is being applied."""
    schedule: Schedule | None = Schedule(cron="17 3 * * *")
    """When it runs by itself."""
    work_pool: WorkPool | None = None
    """Prefect work pool whose workers run it; PROJECT-reconcile where none is given."""


class Metrics(Declaration):
    """Where the numbers of each run go, for Prometheus; nowhere where nothing is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"textfile": "/var/lib/node_exporter"}]})

    textfile: str | None = None
    """A folder that the node exporter of the workers' host reads; each deployment has a file in it."""
    pushgateway: Annotated[str, AfterValidator(validate_gateway)] | None = None
    """URL of a Pushgateway."""


class Declarations(Declaration):
    """The whole file."""

    project: Project = PROJECT
    """Name of this file in Prefect and in Redis: what another file has there is left alone. Begins the names of the work pools."""
    store: StoreSettings
    """Where stores and diffs live."""
    adapters: dict[Name, AdapterEntry] = Field({}, examples=[{"netbox": {"class": "my_adapters.netbox:NetBox"}}])
    """The systems, by name."""
    syncs: dict[Name, SyncEntry] = Field({}, examples=[{"nightly": {"source": "netbox", "target": "switches"}}])
    """What is brought into what, by name."""
    housekeeping: Housekeeping = Housekeeping()
    """What drops what nobody needs any more."""
    metrics: Metrics = Metrics()
    """Numbers for Prometheus."""
