"""Every seed, and what is made of seeds without guidance, through the oracles of `fuzz.oracles`."""

from __future__ import annotations

import os
import re
import time

import pytest
from fuzz.campaign import SHARES
from fuzz.mutants import mutants
from fuzz.oracles import TARGETS
from fuzz.seeds import CORPUS, seeds

SECONDS_MAX = 5.0  # of processor time for one input: a hang, even on a slow machine that measures
ASKED = os.environ.get("FUZZ_MUTANTS")
MUTANTS = {"edit": 60, "config": 250, "use": 250}  # the slow ones
MUTANTS_OF_OTHERS = 1000


def took(target: str, data: bytes) -> float:
    """Return how long an input takes."""
    before = time.process_time()
    TARGETS[target](data)
    return time.process_time() - before


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    """Each hand-written text, each example and each input that once failed is taken as it must be, in time."""
    times = {name: took(target, data) for name, data in seeds(target).items()}
    assert {name: seconds for name, seconds in times.items() if seconds > SECONDS_MAX} == {}


@pytest.mark.parametrize("target", TARGETS)
def test_mutants(target: str) -> None:
    """So is what is made of them, the same inputs every time; FUZZ_MUTANTS asks for more of them."""
    count = int(ASKED or MUTANTS.get(target, MUTANTS_OF_OTHERS))
    slow = [data for data in mutants(seeds(target), count) if took(target, data) > SECONDS_MAX]
    assert slow == []


def test_every_target_has_seeds_and_a_share() -> None:
    """A target without seeds would find nothing, and one without a share would not be fuzzed."""
    assert ({name for name in TARGETS if seeds(name)}, set(SHARES)) == (set(TARGETS), set(TARGETS))


def test_the_dictionary_is_one() -> None:
    """Every line of it is a word as libFuzzer takes it, or a comment."""
    lines = (CORPUS.parent / "words.dict").read_text(encoding="ascii").splitlines()
    word = re.compile(r'"(?:[^"\\]|\\[\\"]|\\x[0-9a-f]{2})+"')
    assert [line for line in lines if not line.startswith("#") and not word.fullmatch(line)] == []
