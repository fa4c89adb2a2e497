"""Sample where a process spends its CPU time, by stage of a load."""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import diffsync_store

_SECONDS = 0.001
"""CPU time between two samples."""
_ROOT = f"{Path(diffsync_store.__file__).parent}/"
OUTSIDE = "building the models, and the loop"
STAGES = {
    "store/serialization/plain_objects.py": "JSON",
    "store/serialization/": "add: checks, names",
    "store/digest.py": "digests",
    "store/index/": "index",
    "store/redis/writing/references.py": "dropping and tracking objects",
    "store/redis/writing/identity_map.py": "dropping and tracking objects",
    "store/redis/writing/tracked_object.py": "dropping and tracking objects",
    "store/redis/writing/writer.py": "sending",
    "store/redis/writing/send_queue.py": "sending",
    "store/redis/writing/": "batches, positions, pages",
    "store/redis/field_names.py": "short field names",
    "store/redis/scripts/": "sending",
    "store/": "add: checks, names",
    "adapter.py": "add: checks, names",
    "model.py": "models: unique ids, children",
}
"""The stage of a module of the library, by the beginning of its path; the first that fits."""


@contextmanager
def sampled(found: Counter[str]) -> Iterator[None]:
    """Count the samples of each stage in the body. Time in C counts for the function that called it. Use it in the main thread."""

    def note(_: int, frame: FrameType | None) -> None:
        found[_stage(frame)] += 1

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _stage(frame: FrameType | None) -> str:
    """Return the stage of the innermost function of the library."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_ROOT):
            module = path.removeprefix(_ROOT)
            return next((stage for beginning, stage in STAGES.items() if module.startswith(beginning)), module)
        frame = frame.f_back
    return OUTSIDE


def microseconds(samples: Mapping[str, int], cpu_seconds: float, objects: int) -> dict[str, float]:
    """Return the CPU time of each stage for each object, the longest first."""
    each = cpu_seconds / max(sum(samples.values()), 1) / objects * 1e6
    return {stage: each * count for stage, count in sorted(samples.items(), key=lambda item: -item[1])}
