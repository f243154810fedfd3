"""Property tests draw the same examples every time: a failure here is a failure everywhere."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("core", derandomize=True, database=None, deadline=None, max_examples=100)
settings.register_profile("planted", settings.get_profile("core"), max_examples=5, phases=[Phase.generate])
settings.load_profile("core")
