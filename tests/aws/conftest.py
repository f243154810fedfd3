"""What the tests of the AWS parts share: the story, told once."""

from __future__ import annotations

from story import story

__all__ = ["story"]
