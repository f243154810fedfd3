"""Inputs made of others without any guidance: the same ones every time, for where there is no fuzzer."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["mutants"]

_PIECES = (
    *(b"\n", b"\r\n", b"\t", b" ", b"  ", b": ", b"- ", b"? ", b"#", b"'", b'"', b"\\", b"{", b"}", b"[", b"]", b","),
    *(b"&", b"*", b"!", b"|", b">", b"%", b"~", b"---\n", b"...\n", b"0", b"9", b"e9", b"-", b".", b"\x00", b"\xff"),
    *(b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\xf0\x9f\x98\x80", b"\\ud800", b"null", b"no", b"1e999"),
)
_LENGTH_MAX = 4096


def mutants(seeds: Mapping[str, bytes], count: int) -> Iterator[bytes]:
    """Yield so many inputs: seeds cut, doubled, crossed, and with pieces put in and bytes changed."""
    random = Random(1)  # noqa: S311 - the same every time, on purpose
    pool = list(seeds.values())
    for _ in range(count):
        data = random.choice(pool)
        for _ in range(random.randint(1, 4)):
            data = _changed(data, random, pool)
        yield data[:_LENGTH_MAX]


def _changed(data: bytes, random: Random, pool: list[bytes]) -> bytes:
    start, end = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    match random.randrange(5):
        case 0:
            return data[:start] + data[min(end, start + 20) :]
        case 1:
            return data[:start] + random.choice(_PIECES) + data[start:]
        case 2:
            return data[:start] + bytes([random.randrange(256)]) + data[start + 1 :]
        case 3:
            return data[:end] + data[start:end] + data[end:]
        case _:
            other = random.choice(pool)
            return data[:start] + other[random.randint(0, len(other)) :]
