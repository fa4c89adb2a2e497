"""What may stand in the YAML file, as pydantic models; variables are still as they are written."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
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
    field_validator,
    model_validator,
)
from pydantic import ValidationError as PydanticError

from diffsync_store import DiffSyncFlags, Guards, SyncOptions
from flows.yaml_file import ConfigFault, YamlFile, instead_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
DAY = 86400
ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
"""From which intervals are counted: always the same, so that a deployment stays as it is."""


def right_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit")
    return name


def right_import_path(path: str) -> str:
    if not IMPORT_PATH.fullmatch(path):
        raise ValueError("a class is given as module:Class, such as my_adapters.netbox:NetBoxAdapter")
    return path


def known_flag(name: str) -> str:
    if name not in DiffSyncFlags.__members__:
        raise ValueError(f"no such flag; there are {', '.join(DiffSyncFlags.__members__)}")
    return name


Name = Annotated[str, AfterValidator(right_name)]
ImportPath = Annotated[str, AfterValidator(right_import_path)]
WorkPool = Annotated[str, Field(description="Prefect work pool whose workers run it")]


class Declaration(BaseModel):
    """A part of the file: a word that is not known is a fault."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class StoreSettings(Declaration):
    """Where stores and diffs live: a `url`, or the name of a Prefect `block` that holds one."""

    url: SecretStr | None = None
    """redis://, rediss:// (TLS), unix://, redis+cluster:// or redis+sentinel://; take the password from ${VAR}."""
    block: str | None = None
    """Name of a block of the type "DiffSync store", which holds the URL as a secret."""
    ttl: PositiveInt = 7 * DAY
    """Seconds after its last use at which a store or a diff expires."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.url is None) == (self.block is None):
            raise ValueError("give a url, or the name of a block, and not both")
        return self


class Schedule(Declaration):
    """When a deployment runs by itself: a `cron` line, or every `interval` seconds."""

    cron: str | None = None
    """Five fields: minute, hour, day of month, month, day of week."""
    interval: PositiveInt | None = None
    """Seconds from one start to the next."""
    timezone: str = "UTC"
    """An IANA name such as Europe/Zurich; `cron` follows its daylight saving."""
    active: bool = True
    """Whether it runs; a schedule that is not active shows in the UI and can be switched on there."""

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("no such time zone; give an IANA name such as UTC or Europe/Zurich")
        return name

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("give either cron or interval")
        try:
            self.of_prefect()
        except PydanticError:
            raise ValueError(f"{self.cron!r} is no cron line: it has five fields, such as 30 2 * * 1-5") from None
        return self

    def of_prefect(self) -> CronSchedule | IntervalSchedule:
        """The schedule as Prefect has it."""
        if self.cron is not None:
            return CronSchedule(cron=self.cron, timezone=self.timezone)
        seconds = timedelta(seconds=self.interval or 0)
        return IntervalSchedule(interval=seconds, timezone=self.timezone, anchor_date=ANCHOR)


class AdapterEntry(Declaration):
    """An adapter: its class as `module:Class`, and the settings that it is made with."""

    class_: ImportPath = Field(alias="class")
    """Import path as module:Class; the workers of its pool can import it."""
    settings: dict[str, Any] = Field({}, repr=False)
    """Keyword arguments of the class; ${VAR} is taken from the environment of the worker."""
    description: str = ""
    """For the deployment's page."""
    schedule: Schedule | None = None
    """When it is loaded by itself; a reconcile loads it anyhow."""
    work_pool: WorkPool = "diffsync-load"


class Apply(Declaration):
    """How a sync goes about it."""

    workers: PositiveInt = 1
    """Objects of the top, each with all that is below it, that are worked on side by side."""
    bulk: PositiveInt = 200
    """Most records in one call of an adapter's `..._many` hook; 1 uses the single ones."""
    rate: PositiveFloat | None = None
    """Most calls of the target's system in a second."""
    retries: NonNegativeInt = 0
    """How often a call is made again after one of the adapter's transient errors."""
    backoff: NonNegativeFloat = 0.5
    """Seconds before the first of these, doubled with each."""
    stop_at_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """Stop when more than this share of the operations has failed, such as 0.2."""
    stop_after: PositiveInt = 20
    """Operations after which that share is looked at."""
    deletes_last: bool = False
    """Delete after everything else, in the reverse order."""
    look_up: bool = False
    """Ask the target's system for each record before its operation, where its model has a `lookup`."""
    trust_journal: bool = False
    """Redis keeps every write (appendfsync always, no failover): go on with a sync also after it was restarted."""


class Chain(Declaration):
    """What follows by itself, by events: without a reconcile, each step as soon as the one before it has ended."""

    diff_after_load: bool = False
    """Diff when the source was loaded, with the target's newest complete store."""
    sync_after_diff: bool = False
    """Sync when a diff was saved that has operations; where an approval is needed, the sync asks for it."""


class WorkPools(Declaration):
    """Which workers run the steps of a sync; the adapters say where they are loaded."""

    diff: WorkPool = "diffsync-diff"
    sync: WorkPool = "diffsync-sync"
    reconcile: WorkPool = "diffsync-reconcile"


class SyncEntry(Declaration):
    """A source, a target, and how the one is brought into the other."""

    source: str
    """The adapter that is right."""
    target: str
    """The adapter that is changed."""
    description: str = ""
    """For the deployments' pages."""
    schedule: Schedule | None = None
    """When it is reconciled by itself."""
    flags: list[Annotated[str, AfterValidator(known_flag)]] = ["CONTINUE_ON_FAILURE"]
    """Flags of the diff and the sync, as diffsync's DiffSyncFlags."""
    guards: Guards = Field(Guards(), description="What a sync must not do")
    approval: Literal["never", "deletes", "always"] = "never"
    """Whether a person has to approve a diff before it is applied: never, where it deletes, or always."""
    approval_timeout: PositiveInt = 7 * DAY
    """Seconds after which a sync that nobody has approved ends."""
    overlap: Literal["enqueue", "skip"] = "enqueue"
    """What becomes of a reconcile that is due while the one before it runs."""
    retention: PositiveInt | None = None
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

    stores: PositiveInt = 3 * DAY
    """Seconds after it was written last at which a store is dropped, unless it is in use."""
    diffs: PositiveInt = 7 * DAY
    """Seconds after which a saved diff is dropped, with what was approved and done, unless it is being applied."""
    schedule: Schedule | None = Schedule(cron="17 3 * * *")
    work_pool: WorkPool = "diffsync-reconcile"


class Metrics(Declaration):
    """Where the numbers of each run go, for Prometheus; nowhere where nothing is given."""

    textfile: str | None = None
    """A folder that the node exporter of the workers' host reads; each deployment has a file in it."""
    pushgateway: str | None = None
    """URL of a Pushgateway."""


class Declarations(Declaration):
    """The whole file."""

    store: StoreSettings
    """Where stores and diffs live."""
    adapters: dict[Name, AdapterEntry] = {}
    """The systems, by name."""
    syncs: dict[Name, SyncEntry] = {}
    """What is brought into what, by name."""
    housekeeping: Housekeeping = Housekeeping()
    """What drops what nobody needs any more."""
    metrics: Metrics = Metrics()
    """Numbers for Prometheus."""


def read_declarations(file: YamlFile) -> Declarations:
    """The file's content, or all its faults."""
    faults = [*_wrong_sides(file), *_repeated_pairs(file)]
    try:
        declared = Declarations.model_validate(file.data)
    except PydanticError as error:
        raise ConfigFault([*file.faults(error, Declarations), *faults]) from None
    if faults:
        raise ConfigFault(faults)
    return declared


def _wrong_sides(file: YamlFile) -> Iterator[str]:
    adapters = _section(file, "adapters")
    for name, sync in _section(file, "syncs").items():
        for side in ("source", "target"):
            adapter = sync.get(side) if isinstance(sync, dict) else None
            if isinstance(adapter, str) and adapter not in adapters:
                message = f"no adapter {adapter!r} is declared{instead_of(adapter, adapters)}"
                yield file.fault(("syncs", name, side), message)
        if isinstance(sync, dict) and "target" in sync and sync.get("source") == sync["target"]:
            yield file.fault(("syncs", name, "target"), "is the source too")


def _repeated_pairs(file: YamlFile) -> Iterator[str]:
    """A diff knows its two adapters, not the sync's name: the pair must lead to one sync's flags."""
    first: dict[tuple[str, str], str] = {}
    for name, sync in _section(file, "syncs").items():
        if not isinstance(sync, dict) or not {"source", "target"} <= sync.keys():
            continue
        earlier = first.setdefault((str(sync["source"]), str(sync["target"])), name)
        if earlier != name:
            yield file.fault(("syncs", name), f"has the same source and target as {earlier}")


def _section(file: YamlFile, name: str) -> dict[str, Any]:
    section = file.data.get(name) if isinstance(file.data, dict) else None
    return section if isinstance(section, dict) else {}
