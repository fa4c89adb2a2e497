"""Settings of the tests whose programs and data hypothesis draws: the same in each run, and without a deadline."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def drawn(*, max_examples: int) -> settings:
    """For tests that share the stores of one server among their examples, each of which makes adapters of its own."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=max_examples, deadline=None, derandomize=True, suppress_health_check=checks)
