"""`kill -9` at random moments, up to four times in a row: also in the middle of a write to the disk, and of a start."""

from __future__ import annotations

import os
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from kills.grounds import SqliteGround
from kills.launcher import launched
from kills.scenes import SCENES, Repository, Verdict

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("SLOWSCHED_KILL_ROUNDS", "6"))
KILLS_A_ROUND = 4  # of a worker; a task has five attempts
SEED = 3


@pytest.mark.parametrize("command", SCENES)
def test_kills_at_random_moments_lose_nothing(command: str, tmp_path: Path) -> None:
    """Whatever a kill leaves, the next run goes on with, and no version goes back; the last finishes the work."""
    random = Random(SEED)  # noqa: S311 - moments to kill at, not secrets
    (tmp_path / "shop").mkdir()
    hits, wrong = 0, []
    with launched(tmp_path) as launcher:
        scene = SCENES[command](Repository(tmp_path / "shop", SqliteGround(), launcher))
        scene.repository.restore()
        began = time.perf_counter()
        scene.repository.run(scene.words)
        longest = time.perf_counter() - began
        for _ in range(ROUNDS):
            moments = [random.uniform(0, longest) for _ in range(KILLS_A_ROUND)]
            hit, verdict = scene.killed_in_a_row(moments)
            hits += hit
            if verdict != Verdict(point=verdict.point, lost=0, again=0):
                wrong.append((moments, verdict))
    assert wrong == []
    assert hits >= ROUNDS
