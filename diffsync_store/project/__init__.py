"""A project file: YAML that declares a store, adapters and syncs.

>>> project = Project(Path("syncs.yaml"), environment=os.environ)
>>> with SyncContext(project) as context, context.open_store("netbox-1", name="netbox") as store, store.loading():
...     project.make_adapter("netbox", store).load()
"""

from diffsync_store.project.check import find_problems
from diffsync_store.project.context import SyncContext
from diffsync_store.project.declaration import Declaration
from diffsync_store.project.duration import DAY, LONGEST, Seconds, format_duration
from diffsync_store.project.errors import EXPECTED_ERRORS, ConfigError, Location, Problem, UserError, WrongSync
from diffsync_store.project.json_schema import json_schema
from diffsync_store.project.messages import suggestion
from diffsync_store.project.notify import EVENTS, EventName, NotifyAddress, secrets_in
from diffsync_store.project.project import BaseProject, Project
from diffsync_store.project.schema import (
    MAX_AGENTS,
    PROJECT,
    AdapterEntry,
    Apply,
    Declarations,
    Housekeeping,
    Name,
    StoreSettings,
    SyncEntry,
)
from diffsync_store.project.secrets import Secrets
from diffsync_store.project.serve import Role, ServeSettings, is_loopback
from diffsync_store.project.windows import Window, closing, next_opening, validate_timezone

__all__ = [
    "DAY",
    "EVENTS",
    "EXPECTED_ERRORS",
    "LONGEST",
    "MAX_AGENTS",
    "PROJECT",
    "AdapterEntry",
    "Apply",
    "BaseProject",
    "ConfigError",
    "Declaration",
    "Declarations",
    "EventName",
    "Housekeeping",
    "Location",
    "Name",
    "NotifyAddress",
    "Problem",
    "Project",
    "Role",
    "Seconds",
    "Secrets",
    "ServeSettings",
    "StoreSettings",
    "SyncContext",
    "SyncEntry",
    "UserError",
    "Window",
    "WrongSync",
    "closing",
    "find_problems",
    "format_duration",
    "is_loopback",
    "json_schema",
    "next_opening",
    "secrets_in",
    "suggestion",
    "validate_timezone",
]
