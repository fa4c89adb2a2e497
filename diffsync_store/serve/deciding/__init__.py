"""Approve, reject and start, for the page and for the API."""

from diffsync_store.serve.deciding.decision import MAX_COMMENT, Decision, StaleForm, record_decision

__all__ = ["MAX_COMMENT", "Decision", "StaleForm", "record_decision"]
