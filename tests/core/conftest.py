"""Property tests draw the same examples every time: a failure here is a failure everywhere."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", derandomize=True, database=None, deadline=None, max_examples=100)
settings.load_profile("core")
