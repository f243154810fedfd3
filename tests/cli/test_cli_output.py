"""The streams: what goes where, colour, and keeping stdout for one document."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from slowsched.cli import output
from slowsched.cli.settings import Settings


def test_data_ends_with_one_line_end(capsys):
    """`emit` adds the line end that is missing, and no second one; nothing stays nothing."""
    for text in ("a", "b\n", ""):
        output.emit(text)
    assert capsys.readouterr().out == "a\nb\n"


def test_an_odd_character_does_not_stop_the_output():
    """A name that is no text (of a file, in a stream of ASCII) is escaped rather than a traceback."""
    code = "from slowsched.cli.output import emit; emit('caf\\u00e9 \\udc80')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert process.stdout == "caf\\xe9 \\udc80\n"


def test_quiet_keeps_notes_to_itself_but_no_warnings(capsys):
    """-q silences words, never a warning or an error."""
    output.note(Settings(quiet=True), "a word")
    output.note(Settings(), "another")
    output.warn("a warning\nin two lines")
    output.complain("an error")
    said = "another\nslowsched: warning: a warning in two lines\nslowsched: error: an error\n"
    assert capsys.readouterr() == ("", said)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("option", "variables", "stream", "colored"),
    [
        ("auto", {}, _Terminal(), True),
        ("auto", {}, io.StringIO(), False),
        ("auto", {"NO_COLOR": "1"}, _Terminal(), False),
        ("auto", {"NO_COLOR": ""}, _Terminal(), True),
        ("auto", {"TERM": "dumb"}, _Terminal(), False),
        ("always", {"NO_COLOR": "1"}, io.StringIO(), True),
        ("never", {}, _Terminal(), False),
    ],
)
def test_when_text_is_colored(monkeypatch, option, variables, stream, colored):
    """At a terminal, without NO_COLOR; an option given on the command line has the last word."""
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.use_color(Settings(color=option), stream) is colored


def test_text_in_a_file_is_a_hundred_columns_wide():
    """Piped text does not depend on the terminal."""
    assert output.text_style(Settings(), io.StringIO()) == {"width": 100, "color": False}


def test_stdout_is_kept_for_the_document():
    """Within the block, prints of this process, of its threads and of its children go to stderr."""
    code = (
        "import os, subprocess, threading\n"
        "from slowsched.cli.output import emit, reserved_stdout\n"
        "with reserved_stdout() as stdout:\n"
        "    print('print')\n"
        "    thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()\n"
        "    subprocess.run(['echo', 'child'])\n"
        "    os.write(1, b'descriptor\\n')\n"
        "    emit('document', stdout)\n"
        "    print('later')\n"
        "emit('after')\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "document\nafter\n"
    assert sorted(process.stderr.split()) == ["child", "descriptor", "later", "print", "thread"]


def test_stdout_is_kept_where_it_has_no_descriptor(capsys):
    """A stream in memory is kept as well."""
    with output.reserved_stdout() as stdout:
        sys.stdout.write("to stderr")
        output.emit("document", stdout)
    sys.stdout.write("to stdout")
    assert capsys.readouterr() == ("document\nto stdout", "to stderr")
