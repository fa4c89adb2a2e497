"""Draft a project file from what two systems have."""

from diffsync_store.project.draft.draft import Draft, Side
from diffsync_store.project.draft.model import DraftModel, draft_models
from diffsync_store.project.draft.pairing import noun_of, pair_names
from diffsync_store.project.draft.text import WITH_STORE, draft_text

__all__ = ["WITH_STORE", "Draft", "DraftModel", "Side", "draft_models", "draft_text", "noun_of", "pair_names"]
