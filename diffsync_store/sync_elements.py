"""The elements of a diff during a sync: model class, unique id and redacted values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from diffsync_store._adapter_like import AdapterLike
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncFlags, DiffSyncStatus
from diffsync_store.exceptions import ObjectCrudException
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import (
    STANDARD_MESSAGES,
    format_reason,
    redact_error,
    redact_fields,
    redact_id,
    redact_text,
    secret_fields,
)
from diffsync_store.result import Reject
from diffsync_store.values.readable import readable

Redact = Callable[[Any, Mapping[str, Any]], dict[str, Any]]


class SyncElements:
    """Elements of a diff whose models are not known: of a dry run."""

    def models(self) -> dict[str, type[DiffSyncModel]]:
        """Return the classes of the models by name."""
        return {}

    def uid(self, element: DiffElement) -> str:
        """Return the unique id of an element's object."""
        return element.uid or element.name

    def key(self, element: DiffElement) -> tuple[str, str]:
        """Return model and unique id of an element's object."""
        return element.type, self.uid(element)

    def rank(self, parent: str | None, model: str) -> int:
        """Return the position of a model among the children of another one; among top-level models without one."""
        return 0

    def redacted_id(self, element: DiffElement) -> str:
        """Return the unique id without secrets."""
        return redact_id(element, element.keys, self.uid(element))

    def reject(self, element: DiffElement, operation_id: str, state: str, reason: str) -> Reject:
        """Return a reject without identifiers and values: only the model knows which are secret."""
        return Reject(str(element.action), element.type, self.redacted_id(element), {}, reason, state, operation_id)


class TargetElements(SyncElements):
    """Elements of a diff that is applied to a target, and the log of the sync.

    Args:
        source: The source of truth; bound to each log line.
        target: The adapter whose models the elements are of.
        flags: Bound to each log line.
        redact: `redact_fields` keeps the types of values, `redact_values` converts them to JSON.
    """

    def __init__(
        self, source: AdapterLike, target: AdapterLike, flags: DiffSyncFlags, redact: Redact = redact_fields
    ) -> None:
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        self.shows_debug = _shows(self.logger, logging.DEBUG)
        self.shows_info = _shows(self.logger, logging.INFO)
        self._target = target
        self._redact = redact
        self._secrets: dict[str, frozenset[str]] = {}
        self._ranks: dict[str | None, dict[str, int]] = {}

    def models(self) -> dict[str, type[DiffSyncModel]]:
        found = {name: getattr(self._target, name, None) for name in self._target._get_initial_value_order()}
        return {name: model for name, model in found.items() if model is not None}

    def model(self, name: str) -> type[DiffSyncModel]:
        """Return the target's class of a model.

        Raises:
            AttributeError: It has none.
        """
        found: type[DiffSyncModel] | None = getattr(self._target, name, None)
        if found is None:
            raise AttributeError(
                f"{type(self._target).__name__} has no model {name!r}: "
                f"declare it as a class variable, `{name} = ...`, or remove it from top_level."
            )
        return found

    def uid(self, element: DiffElement) -> str:
        if element.uid is None:
            element.uid = self.model(element.type).create_unique_id(**element.keys)
        return element.uid

    def rank(self, parent: str | None, model: str) -> int:
        ranks = self._ranks.get(parent)
        if ranks is None:
            models = self._target.top_level if parent is None else self.model(parent).get_children_mapping()
            ranks = self._ranks[parent] = {name: number for number, name in enumerate(models)}
        return ranks.get(model, len(ranks))

    def secrets(self, element: DiffElement) -> frozenset[str]:
        """Return the fields that the model, on either side, declares as secret."""
        own = self._secrets.get(element.type)
        if own is None:
            own = self._secrets[element.type] = secret_fields(self.model(element.type))
        return own.union(element._secrets) if element._secrets else own

    def redacted_id(self, element: DiffElement) -> str:
        return redact_id(self.secrets(element), element.keys, self.uid(element))

    def identifiers(self, element: DiffElement) -> dict[str, Any]:
        """Return the identifiers without secrets."""
        return self._redact(self.secrets(element), element.keys)

    def changes(self, element: DiffElement) -> dict[str, Any]:
        """Return old values under "-" and new ones under "+", without secrets."""
        secrets = self.secrets(element)
        return {sign: self._redact(secrets, values) for sign, values in element.get_attrs_diffs().items()}

    def log_fields(self, element: DiffElement) -> dict[str, Any]:
        """Return the fields of log lines about an element."""
        return {
            "action": element.action,
            "model": element.type,
            "unique_id": self.redacted_id(element),
            "diffs": self.changes(element),
        }

    def reject(self, element: DiffElement, operation_id: str, state: str, reason: str) -> Reject:
        identifiers, changes = self.identifiers(element), self.changes(element)
        uid = self.redacted_id(element)
        return Reject(str(element.action), element.type, uid, identifiers, reason, state, operation_id, changes)

    def reason(self, element: DiffElement, error: Exception) -> str:
        """Return the text of a model's exception; secrets are redacted in the exception too."""
        groups = element.source_attrs, element.dest_attrs, element.keys
        redact_error(error, self.secrets(element), *groups)
        return redact_text(self.secrets(element), reason_of(error), *groups)

    def log_attempt(self, element: DiffElement, action: Any) -> None:
        """Log that an operation is sent to the model."""
        if self.shows_debug:
            self.logger.debug(f"Attempting model {action}", **self.log_fields(element))

    def log_unchanged(self, element: DiffElement) -> None:
        """Log that an object is visited and not changed."""
        if self.shows_debug:
            fields = self.log_fields(element)
            self.logger.debug("No changes to apply; no action needed", **fields, status=DiffSyncStatus.SUCCESS.value)

    def log_done(self, element: DiffElement, action: Any, done: DiffSyncModel | None) -> None:
        """Log the status that the model has set on its object; None if it returned no object."""
        if done is None:
            message = f"{element.type} {action} did not return the model object."
            self.logger.warning(message, **self.log_fields(element), status=DiffSyncStatus.FAILURE.value)
            return
        status, message = done.get_status()
        # The status of an object of another package is a member of another enum, or a text.
        value: Any = getattr(status, "value", status)
        if value == DiffSyncStatus.SUCCESS.value and not self.shows_info:
            return
        log: dict[Any, Any] = {
            DiffSyncStatus.SUCCESS.value: self.logger.info,
            DiffSyncStatus.FAILURE.value: self.logger.warning,
        }
        if message not in STANDARD_MESSAGES:
            message = redact_text(self.secrets(element), message, element.source_attrs, element.dest_attrs)
        log.get(value, self.logger.error)(message, **self.log_fields(element), status=value)

    def log_store_refusal(self, element: DiffElement, error: Exception) -> None:
        """Log that the target's store refused an object that its system has accepted."""
        text = redact_text(self.secrets(element), str(error), element.keys)
        self.logger.error(f"The system accepted the change, but the store did not: {text}", **self.log_fields(element))


def reason_of(error: Exception) -> str:
    """Return the message of an exception, with its class unless it is one of diffsync's for refused operations."""
    return readable(str(error)) if isinstance(error, ObjectCrudException) else format_reason(error)


def _shows(logger: Any, level: int) -> bool:
    """Whether a logger shows a level; True if unknown."""
    is_enabled = getattr(logger, "is_enabled_for", None)
    return bool(is_enabled(level)) if callable(is_enabled) else True
