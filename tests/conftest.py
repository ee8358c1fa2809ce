"""Shared by all tests: how often hypothesis tries, and what is skipped where."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# In CI the same cases every time: a change is judged by its own merits; new cases are found everywhere else.
settings.register_profile(
    "default",
    derandomize=bool(os.environ.get("CI")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("planted", settings.get_profile("default"), phases=set(Phase) - {Phase.shrink, Phase.explain})
settings.register_profile("nightly", settings.get_profile("default"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
