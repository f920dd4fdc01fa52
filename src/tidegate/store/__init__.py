"""What ran, what was made and from what: `Store`, and the records it gives."""

from tidegate.store.database import StoreError, StoreFull
from tidegate.store.gc import Collected, collect
from tidegate.store.records import ArtifactRecord, CacheEntry, LineageStep, RunRecord, TaskRecord
from tidegate.store.store import Store

__all__ = [
    "ArtifactRecord",
    "CacheEntry",
    "Collected",
    "LineageStep",
    "RunRecord",
    "Store",
    "StoreError",
    "StoreFull",
    "TaskRecord",
    "collect",
]
