"""The strict reader: values, places, and what is refused; files that are built to hurt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from slowsched.model import Document, Place, Problem
from slowsched.source_text import DEPTH_MAX, FILE_BYTES_MAX, PROBLEMS_MAX, VALUES_MAX, line_and_column, read_bytes
from slowsched.yaml_quick import read_quickly
from slowsched.yaml_reader import locate, read


def values(text: str, path: str = "tasks/a.yaml") -> list[Any]:
    """Return the values of the documents of a file that is in order."""
    documents, problems = read(path, text.encode())
    assert problems == []
    return [document.value for document in documents]


def found(data: str | bytes, path: str = "a.yaml") -> list[tuple[int, int, str, str]]:
    """Return line, column, pointer and code of every problem of a file, which then gives no documents."""
    documents, problems = read(path, data.encode() if isinstance(data, str) else data)
    assert documents == []
    return [(problem.line, problem.column, problem.pointer, problem.code) for problem in problems]


# --- values ----------------------------------------------------------------------------------------


def test_documents() -> None:
    """Each document of a file has its value, its place, its number and the text of the file."""
    text = "# comment\n  id: one\n---\n- two\n--- three\n...\n"
    assert read("tasks/a.yaml", text.encode()) == (
        [
            Document(place=Place(path="tasks/a.yaml", line=2, column=3), value={"id": "one"}, text=text, index=0),
            Document(place=Place(path="tasks/a.yaml", line=4, column=1), value=["two"], text=text, index=1),
            Document(place=Place(path="tasks/a.yaml", line=5, column=5), value="three", text=text, index=2),
        ],
        [],
    )


@pytest.mark.parametrize("comment", ["", f"# {'too long to be read quickly' * 100}\n"], ids=["quick", "by events"])
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("29.990", 29.99),
        ("1.0", 1),
        ("-0", 0),
        ("1.5e+3", 1500),
        ("1.5E-3", 0.0015),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("text", "text"),
        ("y", "y"),
        ("N", "N"),
        ("yEs", "yEs"),
        ("nullable", "nullable"),
        ("on time", "on time"),
        ("--5", "--5"),
        ("1.2.3", "1.2.3"),
        ("12e", "12e"),
        ("0xyz", "0xyz"),
        (".", "."),
        ("2030-12-31", "2030-12-31"),
        ("2030-12-31T00:00:00Z", "2030-12-31T00:00:00Z"),
        ("2030-12-31 00:00:00", "2030-12-31 00:00:00"),
        ("'no'", "no"),
        ('"012"', "012"),
        ("''", ""),
        (r'"tab\t, é \u00e9, line\n, \U0001F600"', "tab\t, é é, line\n, 😀"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">-\n  one\n  line\n", "one line"),
        ("[]", []),
        ("{}", {}),
        ('[1, a, "b", [~], {c: 2, "d":3}]', [1, "a", "b", [None], {"c": 2, "d": 3}]),
        ("{a, b: }", {"a": None, "b": None}),
        ("\n- 1\n- - 2\n  - 3\n", [1, [2, 3]]),
    ],
)
def test_value(written: str, value: Any, comment: str) -> None:
    """Where all readers of YAML agree, a value is what they read; both ways through the reader say the same."""
    assert json.dumps(values(f"{comment}a: {written}\n")) == json.dumps([{"a": value}])


def test_quick_way() -> None:
    """An ordinary task file is read the quick way; what is long, marked or out of order is not."""
    ordinary = ["a: 1\n", "a: x\n---\nb: {c: [d, 'e', \"f\", {g: h}]}\n", "é: ü\n", "# comment\na:\n  - b\n"]
    others = [
        "a: 1\n" + "# x\n" * 600,
        "a: b & c\n",
        "a: b!\n",
        "- a\n",
        "a: no\n",
        "a: 1\na: 2\n",
        "1: a\n",
        "? [a]\n: b\n",
        "a: [",
        'a: "\\e"\n',
        "",
        "# comment\n",
        "a: " + "[" * 70 + "]" * 70,
        "a: [" + "{b: " * 70 + "}" * 70 + "]",
    ]
    assert [read_quickly("a.yaml", text, text.encode()) for text in ordinary] == [
        read("a.yaml", text.encode())[0] for text in ordinary
    ]
    assert [read_quickly("a.yaml", text, text.encode()) for text in others] == [None] * len(others)


def test_mark_and_line_ends() -> None:
    """A byte order mark and line ends of Windows or old Macs change nothing."""
    documents, problems = read("a.yaml", b"\xef\xbb\xbfa: 1\r\nb: 2\rc: no\n")
    assert (documents, [(p.line, p.column, p.pointer) for p in problems]) == ([], [(3, 4, "$.c")])


def test_json_values() -> None:
    """A JSON file is one document of the same values, numbers kept alike."""
    text = '\n {"a": [1, 1.0, 1e2, true, null, "\\u00e9\\ud83d\\ude00\\/"], "b": {}}\n'
    place = Place(path="a.JSON", line=2, column=2)
    value = {"a": [1, 1, 100, True, None, "é😀/"], "b": {}}
    assert read("a.JSON", text.encode()) == ([Document(place=place, value=value, text=text)], [])


@pytest.mark.parametrize("key", ["no", "1", "", "null", "012", "<<"])
def test_key_in_quotes_and_without(key: str) -> None:
    """A key that was read in quotes is no less refused without them, in the next file."""
    assert values(f"'{key}': 1\n") == [{key: 1}]
    assert len(found(f"? {key}\n: 1\n")) == 1


# --- what is refused (more of it in tests/examples/invalid) ----------------------------------------


@pytest.mark.parametrize("written", ["012", "-012", "0o17", "0x1F", "0b1", "1_000", "12:30", "1:30:00", "1:30.5"])
@pytest.mark.parametrize("form", ["a: {}", "[{}]", "{}: a", "# {}\n--- {}"])
def test_ambiguous_value(written: str, form: str) -> None:
    """A text that readers read differently is refused wherever it stands."""
    assert [code for *_, code in found(form.format(written, written))] == ["ambiguous-value"]


@pytest.mark.parametrize(
    "written", ["yes", "YES", "No", "on", "OFF", "True", "FALSE", "Null", "NULL", "+5", ".5", "5.", "1e5", ".inf"]
)
def test_ambiguous_word(written: str) -> None:
    """Switches, other spellings and other forms of numbers are refused, with the place and the way out."""
    _, problems = read("a.yaml", f"a:\n  - {written}\n".encode())
    assert [(p.line, p.column, p.pointer, p.code) for p in problems] == [(2, 5, "$.a[0]", "ambiguous-value")]
    assert "quote it" in problems[0].message


def test_all_problems_of_a_file() -> None:
    """Problems are collected over all documents of a file, and none of these is half-read."""
    text = "a: no\nb: {c: 0x1, c: 2}\n---\nfine: 1\n---\n- *x\n- &y z\n- !t u\n"
    assert found(text) == [
        (1, 4, "$.a", "ambiguous-value"),
        (2, 8, "$.b.c", "ambiguous-value"),
        (2, 13, "$.b.c", "duplicate-key"),
        (6, 3, "$[0]", "alias"),
        (7, 3, "$[1]", "anchor"),
        (8, 3, "$[2]", "tag"),
    ]


def test_columns_count_characters() -> None:
    """A column counts characters, not bytes, and a tab or an emoji is one of them."""
    assert found('"é😀\\t":\t[é, no]\n')[0][:2] == (1, 13)


def test_double_key_names_the_first() -> None:
    """A key that stands twice names the line of the first, in the same mapping of the same document."""
    _, problems = read("a.yaml", b"a: {k: 1}\n---\nk: 0\na:\n  k: 1\n  b: {k: 2}\n  k: 3\n  k: 4\n")
    assert [(p.line, p.message) for p in problems] == [
        (7, "the key 'k' stands in line 5 already"),
        (8, "the key 'k' stands in line 5 already"),
    ]


def test_double_key_within_an_odd_key() -> None:
    """Even in what is no key, problems have their place."""
    assert found("? {a: 1, a: 2}\n: [&b c]\n") == [
        (1, 3, "$['?']", "key-not-text"),
        (1, 10, "$['?'].a", "duplicate-key"),
        (2, 4, "$['?'][0]", "anchor"),
    ]


def test_alias_as_key() -> None:
    """An alias is no key either."""
    assert [code for *_, code in found("&a b: c\n*a : d\n")] == ["anchor", "key-not-text", "alias"]


def test_byte_that_is_not_utf8() -> None:
    """The line and column of the first byte that is not UTF-8 are named."""
    assert read("a.yaml", "a: é\nb: ".encode() + b"\xff\n") == (
        [],
        [
            Problem(
                path="a.yaml",
                line=2,
                column=4,
                pointer="$",
                code="not-utf8",
                message="the byte 0xff is not UTF-8: save the file as UTF-8",
            )
        ],
    )


@pytest.mark.parametrize("path", ["a.yaml", "a.json"])
@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        ("a: 1\n".encode("utf-16"), "not-utf8", "UTF-16"),
        ("a: 1\n".encode("utf-16-be"), "not-utf8", "UTF-16"),
        ("\ufeffa: 1\n".encode("utf-16-be"), "not-utf8", "UTF-16"),
        ("\ufeff漢字".encode("utf-16-le"), "not-utf8", "UTF-16"),
        ("a: 1\n".encode("utf-32"), "not-utf8", "UTF-32"),
        ("\ufeffa: 1\n".encode("utf-32-be"), "not-utf8", "UTF-32"),
        (b"\x7fELF\x02\x01\x01\x00\x03 and more text than NUL bytes", "binary", "binary"),
        (b"", "empty-file", ""),
        (b"\n \n", "empty-file", ""),
    ],
)
def test_no_text(data: bytes, code: str, word: str, path: str) -> None:
    """What is no UTF-8 text, or nothing at all, is called what it is."""
    documents, problems = read(path, data)
    assert (documents, [problem.code for problem in problems]) == ([], [code])
    assert word in problems[0].message


def test_control_characters() -> None:
    """A control character is refused, raw at its place, or as an escape in a key or a value."""
    assert found("a: 1\nb: é\x07\n") == [(2, 5, "$", "control-character")]
    assert found('"\\e": "\\x9f"\n') == [
        (1, 1, "$['\\x1b']", "control-character"),
        (1, 7, "$['\\x1b']", "control-character"),
    ]


def test_other_syntax() -> None:
    """What libyaml finds and has no words of ours is told in its own."""
    _, problems = read("a.yaml", b"a: |x\n b\n")
    assert [p.message for p in problems] == ["this is not YAML: did not find expected comment or line break"]


def test_surrogate_pair_in_yaml() -> None:
    """The escapes of JSON for a character beyond U+FFFF are not read by YAML; it says so."""
    _, problems = read("a.yaml", rb'a: "\ud83d\ude00"')
    assert [p.message for p in problems] == ["this escape is no character: write the character itself"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ('{"a": 1, "b": {"a": 1, "a": 2}}', [(1, 24, "$.b.a", "duplicate-key")]),
        ('[{"a": [1, -Infinity]},\n{}]', [(1, 12, "$[0].a[1]", "syntax")]),
        ('{"a": 0.12345678901234567890}', [(1, 7, "$.a", "inexact-number")]),
        ('{"a\\ud800": 1}', [(1, 2, "$['a\\ud800']", "control-character")]),
        ('["\x7f"]', [(1, 2, "$[0]", "control-character")]),
        ('["\x07"]', [(1, 3, "$", "syntax")]),
        ("{'a': 1}", [(1, 2, "$", "syntax")]),
        ("[1, 2", [(1, 6, "$", "syntax")]),
        ("[01]", [(1, 3, "$", "syntax")]),
        ("// no\n1", [(1, 1, "$", "syntax")]),
    ],
)
def test_json_problems(text: str, problems: list[Any]) -> None:
    """JSON is as strict, and its places are as exact."""
    assert found(text, "a.json") == problems


# --- places ----------------------------------------------------------------------------------------

YAML = """\
# comment
a: 1
"b": [x, {c: é, d: 2}]
---
a:
  - deep: |
      text
    "öther" :
      - 1
"""


@pytest.mark.parametrize(
    ("index", "way", "value", "key"),
    [
        (0, (), (2, 1), (2, 1)),
        (0, ("a",), (2, 4), (2, 1)),
        (0, ("b",), (3, 6), (3, 1)),
        (0, ("b", 1), (3, 10), (3, 10)),
        (0, ("b", 1, "d"), (3, 20), (3, 17)),
        (1, ("a",), (6, 3), (5, 1)),
        (1, ("a", 0, "deep"), (6, 11), (6, 5)),
        (1, ("a", 0, "öther", 0), (9, 9), (9, 9)),
        (1, ("a", 0, "nowhere", 5), (6, 5), (6, 5)),
        (1, ("nowhere",), (5, 1), (5, 1)),
    ],
)
def test_locate(index: int, way: tuple[Any, ...], value: tuple[int, int], key: tuple[int, int]) -> None:
    """A value and its key are found in their document; what is not there, at what would hold it."""
    document = read("a.yaml", YAML.encode())[0][index]
    assert (locate(document, way), locate(document, way, key=True)) == (value, key)


def test_locate_in_json() -> None:
    """The places of a JSON file are found too, with escaped keys and several lines."""
    text = '{ "a" :\n [1, {"\\u00e9":\n2}, [], {}, 3],"b":{"c":[{}]}}'
    document = read("a.json", text.encode())[0][0]
    ways: list[tuple[Any, ...]] = [(), ("a",), ("a", 1, "é"), ("a", 4), ("b", "c", 0), ("x",)]
    assert [(locate(document, way), locate(document, way, key=True)) for way in ways] == [
        ((1, 1), (1, 1)),
        ((2, 2), (1, 3)),
        ((3, 1), (2, 7)),
        ((3, 13), (3, 13)),
        ((3, 26), (3, 26)),
        ((1, 1), (1, 1)),
    ]


def test_locate_in_another_text() -> None:
    """A document whose text does not hold it (it changed meanwhile) is placed where it was."""
    document = Document(place=Place(path="a.yaml", line=7, column=3), value={}, text="a: [", index=5)
    assert locate(document, ("a",)) == (7, 3)


def test_line_and_column() -> None:
    r"""Lines end with \n, \r\n or \r, whatever a file mixes."""
    text = "a\r\nbc\rd\n\ne"
    assert [line_and_column(text, text.index(letter)) for letter in "abcde"] == [(1, 1), (2, 1), (2, 2), (3, 1), (5, 1)]


# --- files that are built to hurt ------------------------------------------------------------------

SECONDS_MAX = 2.0
MEGABYTES_MAX = 120  # Python and the largest of these files included

HOSTILE = [
    ("lists.yaml", b"[" * 900_000, "too-deep"),
    ("lists-in-order.yaml", b"[" * 1000 + b"]" * 1000, "too-deep"),
    ("short.yaml", b"a: " + b"[" * 70 + b"]" * 70, "too-deep"),
    ("mappings.yaml", b"{a: " * 200_000, "too-deep"),
    ("dashes.yaml", b"- " * 400_000, "too-deep"),
    ("questions.yaml", b"? " * 400_000, "too-deep"),
    ("indents.yaml", b"".join(b" " * n + b"a:\n" for n in range(1000)), "too-deep"),
    ("anchors.yaml", b"&a [" * 200_000, "too-deep"),
    ("lists.json", b"[" * 500_000 + b"]" * 500_000, "too-deep"),
    ("mappings.json", b'{"a":' * 150_000 + b"1" + b"}" * 150_000, "too-deep"),
    ("short.json", b"[" * 65 + b"]" * 65, "too-deep"),
    ("many.yaml", b"[" + b"a," * 500_000 + b"]", "too-many-values"),
    ("many-keys.yaml", b"".join(b"%d: a\n" % n for n in range(90_000)), "key-not-text"),
    ("many-texts.yaml", b"".join(b"k%d: a\n" % n for n in range(90_000)), "too-many-values"),
    ("many-flags.yaml", b"{" + b"a," * 400_000 + b"}", "duplicate-key"),
    ("many.json", b"[" + b"0," * 400_000 + b"0]", "too-many-values"),
    ("long-key.yaml", b'? "' + b"k" * 1_000_000 + b'"\n: 1\n? "' + b"l" * 10 + b'"\n: no', "ambiguous-value"),
    ("long-number.yaml", b"a: 0" + b"1" * 1_000_000, "ambiguous-value"),
    ("long-integer.yaml", b"a: 1" + b"1" * 1_000_000, "inexact-number"),
    ("long-fraction.json", b"[0." + b"1" * 1_000_000 + b"]", "inexact-number"),
    ("aliases.yaml", b"a: &a [b]\nc: [" + b"*a," * 300_000 + b"]", "alias"),
    ("quotes.yaml", b'"' * 1_000_000, "syntax"),
    ("percent.yaml", b"%" * 1_000_000, "syntax"),
    ("tabs.yaml", b"\t" * 1_000_000, "syntax"),
    ("colons.yaml", b": " * 500_000, "syntax"),
    ("documents.yaml", b"---\n" * 250_000, "empty-document"),
    ("zeros.yaml", b"\0" * 1_000_000, "binary"),
]


@pytest.mark.parametrize(("name", "data", "code"), HOSTILE, ids=[name for name, *_ in HOSTILE])
def test_hostile_file(name: str, data: bytes, code: str) -> None:
    """A file of the largest size that is built to hurt costs a moment only, and is called what it is."""
    begun = time.process_time()
    documents, problems = read(name, data)
    assert time.process_time() - begun < SECONDS_MAX
    assert (documents, len(problems) <= PROBLEMS_MAX) == ([], True)
    assert code in {problem.code for problem in problems}
    assert max(len(problem.message) + len(problem.pointer) for problem in problems) < 500


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process that a larger one started")
def test_hostile_files_and_memory() -> None:
    """All of them after each other need little memory."""
    code = (
        "import pathlib, test_yaml_reader as here\n"
        "for name, data, _ in here.HOSTILE: here.read(name, data)\n"
        "print(pathlib.Path('/proc/self/status').read_text())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, check=True)
    peak = next(int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith(b"VmHWM:"))
    assert peak // 1024 < MEGABYTES_MAX


def test_depth_that_is_allowed() -> None:
    """As many lists as a document may have in each other are read, in both formats."""
    text = "[" * DEPTH_MAX + "]" * DEPTH_MAX
    assert values(text) == values(text, "a.json") == [json.loads(text)]


def test_values_that_are_allowed() -> None:
    """As many values as a document may have are read, in each document of a file, in both formats."""
    text = "[" + ", ".join(["a"] * (VALUES_MAX - 1)) + "]\n"
    assert values(f"--- {text}--- {text}") == [["a"] * (VALUES_MAX - 1)] * 2
    assert values(text.replace("a", "1"), "a.json") == [[1] * (VALUES_MAX - 1)]


def test_double_key_behind_many_values() -> None:
    """A key that stands twice is found behind as many values as there may be."""
    text = "a: 1\nb: [" + "c," * (VALUES_MAX - 10) + "]\nd: 1\nd: 2\na: 3\n"
    assert found(text) == [(4, 1, "$.d", "duplicate-key"), (5, 1, "$.a", "duplicate-key")]


def test_problems_are_bounded() -> None:
    """The first hundred problems of a file are enough."""
    assert [code for *_, code in found("[" + "no, " * 1000 + "]")] == ["ambiguous-value"] * PROBLEMS_MAX


# --- files -----------------------------------------------------------------------------------------


def told(file: Path) -> tuple[str, str] | bytes:
    """Return what is read of a file, or code and message of its problem."""
    data = read_bytes(file, "tasks/a.yaml")
    return data if isinstance(data, bytes) else (data.code, data.message)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, FILE_BYTES_MAX])
def test_read_bytes(tmp_path: Path, size: int) -> None:
    """A file is read whole, up to the largest size."""
    (tmp_path / "a.yaml").write_bytes(b"x" * size)
    assert told(tmp_path / "a.yaml") == b"x" * size


def test_large_file(tmp_path: Path) -> None:
    """A file of 50 MB is refused without reading it."""
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    tracemalloc.start()
    answer = told(tmp_path / "a.yaml")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer == ("file-too-large", "this file is larger than 1024 KB: split it, or keep large data elsewhere")
    assert peak < 4 * FILE_BYTES_MAX


def test_no_file(tmp_path: Path) -> None:
    """What is no regular file, or none that can be read, is called what it is; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    assert [told(tmp_path / name) for name in (".", "pipe", "gone", "loop")] == [
        ("not-a-file", "this is a folder with the name of a file: rename it"),
        ("not-a-file", "this is no regular file (a pipe or a device)"),
        ("no-such-file", "there is no such file"),
        ("unreadable", "this file cannot be read: Too many levels of symbolic links"),
    ]


def test_pipe_with_a_writer(tmp_path: Path) -> None:
    """A pipe that somebody holds open without writing is not waited for either."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(tmp_path / "pipe", os.O_WRONLY)
    assert told(tmp_path / "pipe") == ("unreadable", "this file cannot be read: Resource temporarily unavailable")
    os.close(writer)
    os.close(reader)


def test_small_stack() -> None:
    """The quick way through a small file recurses in C only as deep as a small stack has room for."""
    answers: list[Any] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: answers.append(found("- " * 1024)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert answers == [[(1, 2 * DEPTH_MAX + 1, "$", "too-deep")]]
