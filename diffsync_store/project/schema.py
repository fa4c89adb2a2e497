"""The keys of a project file, as pydantic models.

`diffsync_flows` reads the same file with subclasses that add the keys of Prefect. The library accepts those keys, listed in
`prefect_keys`, and ignores them.
"""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, WithJsonSchema, model_validator

from diffsync_store.adapters import TYPE_NAMES
from diffsync_store.adapters.shards import Shards
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.field_rules import FieldRule, FieldRules
from diffsync_store.field_rules.rules import EVERY
from diffsync_store.guards import Guards
from diffsync_store.mapping import ModelDefinition
from diffsync_store.project.canary import CanaryEntry
from diffsync_store.project.declaration import Declaration
from diffsync_store.project.duration import DAY, Pause, Seconds
from diffsync_store.project.errors import Location
from diffsync_store.project.messages import suggestion
from diffsync_store.project.notify import NotifyAddress
from diffsync_store.project.serve import ServeSettings
from diffsync_store.project.windows import Window
from diffsync_store.rules import NO_OPERATION_RULES, Rule, Rules
from diffsync_store.sync import SyncOptions

PROJECT = "diffsync"
"""Name of a project whose file states none."""
STORE_TTL = 7 * DAY
"""How long a store is kept after its last use, if the file does not say."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def validate_name(name: str) -> str:
    """Check the name of a project, an adapter or a sync."""
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, '.', '_' or '-', and starts with a letter or a digit")
    return name


def validate_import_path(path: str) -> str:
    """Check the form of an import path; nothing is imported."""
    if not _IMPORT_PATH.fullmatch(path):
        raise ValueError("write a class as module:Class, e.g. my_adapters.netbox:NetBoxAdapter")
    return path


def validate_type(name: str) -> str:
    """Check the type of a ready adapter; nothing is imported."""
    if name not in TYPE_NAMES:
        raise ValueError(f"unknown type{suggestion(name, TYPE_NAMES, 'Known types')}")
    return name


def validate_flag(name: str) -> str:
    """Check the name of a flag."""
    if name not in DiffSyncFlags.__members__:
        raise ValueError(f"unknown flag. Known flags: {', '.join(DiffSyncFlags.__members__)}")
    return name


Name = Annotated[str, AfterValidator(validate_name)]
ImportPath = Annotated[str, AfterValidator(validate_import_path), Field(examples=["my_adapters.netbox:NetBoxAdapter"])]
TypeName = Annotated[str, AfterValidator(validate_type), WithJsonSchema({"enum": list(TYPE_NAMES)})]
Flag = Annotated[str, AfterValidator(validate_flag)]
RuleName = Literal["source", "fill_empty", "never", "unless_changed"]
"""The name of a `FieldRule`."""
MAX_AGENTS = 64
Count = Annotated[int, Field(strict=True, ge=1)]
"""A whole number. `true`, which pydantic would accept as 1, is refused."""


class StoreSettings(Declaration):
    """The Redis that holds stores and diffs: its `url`, or the name of a Prefect `block` that holds the URL."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "${REDIS_URL}"}]})

    url: SecretStr | None = None
    """redis://, rediss:// (TLS), unix://, redis+cluster:// or redis+sentinel://. Take the password from ${VAR}."""
    block: str | None = None
    """Name of a Prefect block of the type "DiffSync store", which holds the URL as a secret; only `diffsync-flows` reads it."""
    ttl: Seconds = STORE_TTL
    """Time after its last use at which a store or a diff expires."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.url is None) == (self.block is None):
            raise ValueError("give either url or block")
        return self


class AdapterEntry(Declaration):
    """An adapter: its type or class, and the settings to create it with."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"class": "my_adapters.netbox:NetBox", "settings": {"url": "https://netbox"}}]}
    )
    prefect_keys = frozenset({"schedule", "work_pool"})

    type: TypeName | None = None
    """The kind of system that a ready adapter reads and writes. Give either `type` or `class`."""
    class_: ImportPath | None = Field(None, alias="class")
    """Import path of your own class, as module:Class."""
    settings: dict[str, Any] = Field({}, repr=False, examples=[{"url": "https://netbox", "token": "${NETBOX_TOKEN}"}])
    """How the system is reached. ${VAR} is replaced by the environment variable. A relative path starts at the folder of this file."""
    records: Mapping[str, Any] | None = Field(None, examples=[{"device": {"from": "dcim/devices"}}])
    """Where a ready adapter finds the records of each model, by the names of the models."""
    shards: Shards | None = Field(None, examples=[["eu", "us"]])
    """The parts in which the system is loaded, each by a run of its own: `auto` for those that the adapter finds, a list of names,
    or the values or the range of each shard by its name."""
    description: str = ""
    """Free text, shown on the pages of the deployments."""

    @model_validator(mode="after")
    def _has_one_class(self) -> Self:
        if (self.type is None) == (self.class_ is None):
            raise ValueError(
                "give either type, for a ready adapter, or class, for your own. Types: " + ", ".join(TYPE_NAMES)
            )
        return self

    @property
    def class_key(self) -> str:
        """The key that decides the class: `type` or `class`."""
        return "type" if self.type is not None else "class"


class Apply(Declaration):
    """How a diff is applied to the target."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"workers": 8, "retries": 3}]})

    workers: Count = 1
    """Number of concurrent calls of the target's system."""
    batch_size: Count = 200
    """Maximum records in one call of an adapter's `..._many` hook; 1 calls the hooks for single records."""
    max_calls_per_second: Annotated[float, Field(strict=True, gt=0)] | None = None
    """Maximum calls of the target's system in a second."""
    retries: Annotated[int, Field(strict=True, ge=0)] = 0
    """Maximum retries of a call after a transient error."""
    backoff: Pause = 0.5
    """Time before the first retry; each further retry doubles it."""
    max_failure_ratio: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    """Stop the sync when more than this ratio of the operations has failed, such as 0.2."""
    failure_ratio_after: Count = 20
    """Number of operations before the failure ratio is checked."""
    deletes_last: bool = True
    """Delete after all creates and updates, children before their parents."""
    lookup_first: bool = False
    """Call the model's `lookup` before each operation, and report a record that has changed as a conflict."""
    trust_journal: bool = False
    """Resume a sync after a restart of Redis. Set it only if Redis keeps every write (appendfsync always, no failover)."""


class SyncEntry(Declaration):
    """A source, a target, and how changes get from the source to the target."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "netbox", "target": "switches"}]})
    prefect_keys = frozenset({"schedule", "approval_timeout", "overlap", "chain", "work_pools", "steps"})

    source: str = Field(examples=["netbox"])
    """The adapter of the source of truth."""
    target: str = Field(examples=["switches"])
    """The adapter of the system to change."""
    description: str = ""
    """Free text, shown on the pages of the deployments."""
    flags: list[Flag] = Field(["CONTINUE_ON_FAILURE"], examples=[["CONTINUE_ON_FAILURE"]])
    """Flags of the diff and the sync: the names of DiffSyncFlags."""
    guards: Guards = Field(
        Guards(),
        description="Limits of what the sync may change.",
        examples=[{"change_limits": {"per_model": {"delete": {"percent": 5}}}}],
    )
    approval: Literal["never", "deletes", "always"] = "never"
    """Which diffs a person must approve before they are applied: none, those that delete, or all."""
    rules: tuple[Rule, ...] = Field((), examples=[[{"action": "delete", "then": "review", "approvers": 2}]])
    """What becomes of each operation: the first rule that fits decides, else `approval`. What may be applied is applied at once, the
    rest waits."""
    fields: dict[str, dict[str, RuleName]] = Field({}, examples=[{"device": {"description": "unless_changed"}}])
    """When the sync may write an attribute that the target has: by model and attribute, `source`, `fill_empty`, `unless_changed` or
    `never`. `*` stands for the other attributes of the model."""
    deletes: Literal["all", "own"] | dict[str, Literal["all", "own"]] = Field("all", examples=["own"])
    """What the sync deletes: `all` that the source lacks, or only objects that it has created itself (`own`); also by model."""
    rehearse: bool = False
    """Whether each sync first finds what the target would refuse, before the approval and before anything is written."""
    rehearsal_timeout: Seconds = 60
    """Time after which a rehearsal ends, so that it does not block the target. A person then decides, as if something were refused."""
    windows: list[Window] = Field([], examples=[[{"allow": "0 22 * * 1-5", "for": "6h"}]])
    """When the sync may write to its target; at any time if none is given. Outside of them, it loads, compares and saves the diff."""
    stale_after: Seconds | None = None
    """Time without a moment in which source and target were equal, after which `notify` says so; never by default."""
    diff_retention: Seconds | None = None
    """Time to keep the sync's diffs with their approvals and results; the store's `ttl` if not given."""
    agents: Annotated[int, Field(strict=True, ge=1, le=MAX_AGENTS)] = 1
    """Number of processes that apply a diff together, each some of its top-level objects. `workers` is the number of calls of each."""
    canary: CanaryEntry | None = Field(None, examples=[{"first": 10, "settle": "30s"}])
    """Operations that are applied first: the rest follows only if they succeed and the target has what was written."""
    apply: Apply = Apply()
    """How a diff is applied."""

    @property
    def combined_flags(self) -> DiffSyncFlags:
        """The flags as one value."""
        return reduce(or_, (DiffSyncFlags[name] for name in self.flags), DiffSyncFlags.NONE)

    @property
    def own_rules(self) -> FieldRules:
        """The field rules of this sync, without what other syncs of its target remember."""
        deletes = {EVERY: self.deletes} if isinstance(self.deletes, str) else self.deletes
        declared = {model: rule for model, rule in deletes.items() if rule != "all" or EVERY in deletes}
        rules = {model: {name: FieldRule(rule) for name, rule in of.items()} for model, of in self.fields.items()}
        return FieldRules(fields=rules, deletes={} if self.deletes == "all" else declared)

    @property
    def operation_rules(self) -> Rules:
        """The rules that decide each operation; false without `rules`."""
        return Rules(all=self.rules, approval=self.approval) if self.rules else NO_OPERATION_RULES

    def needs_approval(self, summary: Mapping[str, int]) -> bool:
        """Return whether a person must approve a diff with these counts by action."""
        return self.approval == "always" or (self.approval == "deletes" and summary.get("delete", 0) > 0)

    def options(self, **more: Any) -> SyncOptions:
        """Return the library's options for applying one of its diffs."""
        return SyncOptions(**{**self.apply.model_dump(), "canary": self.canary, **more})


class Housekeeping(Declaration):
    """How long housekeeping keeps what is in Redis."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"store_retention": "3d", "diff_retention": "7d"}]})
    prefect_keys = frozenset({"schedule", "work_pool"})

    store_retention: Seconds = 3 * DAY
    """Time after its last write at which a store is dropped, unless it is in use."""
    diff_retention: Seconds = 7 * DAY
    """Time after which a saved diff is dropped with its approvals and results, unless it is being applied."""


class Declarations(Declaration):
    """The whole file."""

    prefect_keys = frozenset({"metrics", "prefect_ui"})
    sync_entry: ClassVar[type[SyncEntry]] = SyncEntry
    """The class of the syncs."""

    project: Name = PROJECT
    """Name of this file: files with different names keep their data in Redis, and their deployments in Prefect, apart."""
    store: StoreSettings | None = None
    """The Redis that holds stores and diffs. `diffsync-store` runs an embedded one if it is not given."""
    models: Mapping[str, ModelDefinition] = Field({}, examples=[{"device": {"identifiers": {"name": "str"}}}])
    """The models of ready adapters, by name. All adapters of the file share them."""
    adapters: Mapping[Name, AdapterEntry] = Field({}, examples=[{"netbox": {"class": "my_adapters.netbox:NetBox"}}])
    """The systems, by name."""
    syncs: Mapping[Name, SyncEntry] = Field({}, examples=[{"nightly": {"source": "netbox", "target": "switches"}}])
    """The syncs, by name."""
    housekeeping: Housekeeping = Housekeeping()
    """How long data in Redis are kept."""
    serve: ServeSettings = ServeSettings()
    """The review page of `diffsync-store serve`."""
    notify: Mapping[Name, NotifyAddress] = Field({}, examples=[{"on-call": {"url": "${SLACK_URL}"}}])
    """Who is notified of approvals that wait and of syncs that need somebody, by name."""

    def inconsistencies(self) -> Iterator[tuple[Location, str]]:
        """Yield locations and messages of values that contradict each other."""
        for place in self.serve.plain_secrets():
            yield ("serve", *place), "a secret stands in the file. Take it from the environment: write ${VAR}."
        for name, address in self.notify.items():
            if key := address.plain_secret():
                yield ("notify", name, key), "an address is a secret. Take it from the environment: write ${VAR}."
            for at, sync in address.undeclared(self.syncs):
                hint = suggestion(sync, self.syncs, "Declared")
                yield ("notify", name, "syncs", at), f"no sync {sync!r} is declared{hint}"
