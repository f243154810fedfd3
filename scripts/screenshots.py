# noqa: INP001 - a program, no package
"""Make docs/images/*.png: a plan in a terminal and as a comment, real output of the real command.

    python scripts/screenshots.py [FOLDER]

It plays a pull request in a temporary repository on the embedded backend, runs `slowsched plan` there, and lets
Chromium (the Debian package `chromium`, or what CHROMIUM names) draw what it printed. Not a test: the pictures show
distances from today.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text

PROJECT = Path(__file__).parents[1]
SLOWSCHED = Path(sys.executable).with_name("slowsched")
CHROMIUM = os.environ.get("CHROMIUM", "chromium")
SECONDS_MAX = 120
SCALE = 1.25

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 16px; width: {width}px; box-sizing: border-box; {look} }}
{style}
</style><body>{body}<script>
document.documentElement.dataset.height = Math.ceil(document.body.getBoundingClientRect().height)
</script></body>"""
TERMINAL = "background: #fff; font: 14px/1.35 'DejaVu Sans Mono', monospace;"
PLAIN = "background: #fff; color: #111; font: 14px/1.35 'DejaVu Sans Mono', monospace;"
COMMENT = "background: #fff; color: #1f2328; font: 14px/1.5 'DejaVu Sans', sans-serif;"
GITHUB = """
table { border-collapse: collapse } td, th { border: 1px solid #d1d9e0; padding: 5px 11px; text-align: left }
tr:nth-child(2n) { background: #f6f8fa }
code { background: #818b981f; padding: 2px 5px; border-radius: 6px; font: 12px 'DejaVu Sans Mono', monospace }
pre { background: #f6f8fa; padding: 14px; border-radius: 6px } pre code { background: none; padding: 0 }
blockquote { border-left: 4px solid #0969da; margin: 0 0 16px; padding: 0 14px }
blockquote.CAUTION { border-color: #cf222e } blockquote.WARNING { border-color: #9a6700 }
summary { margin: 8px 0 }
"""


# --- a pull request --------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """Return what the commands see: nothing of this machine's settings."""
    foreign = ("GITHUB_", "SLOWSCHED_", "COLUMNS", "NO_COLOR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return environment | {"GIT_CONFIG_GLOBAL": os.devnull, "TERM": "xterm-256color"}


def in_terminal(folder: Path, *words: str, columns: int) -> str:
    """Run a command at a terminal so wide, and return what it showed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(words, cwd=folder, env=_environment(), stdout=theirs, stderr=subprocess.DEVNULL):  # noqa: S603 - our own
        os.close(theirs)
        printed = b""
        try:
            while data := os.read(ours, 65_536):
                printed += data
        except OSError:  # Linux says so when the last one has closed the other side
            pass
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def run(folder: Path, *words: str) -> str:
    """Run a command in the repository, and return what it printed."""
    environment = _environment()
    ran = subprocess.run(  # noqa: S603 - our own program and git
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    if ran.returncode not in (0, 1, 3):  # late and refused plans are worth a picture
        raise SystemExit(f"{' '.join(words)} ended with {ran.returncode}:\n{ran.stderr}")
    return ran.stdout


def commit(folder: Path, why: str) -> None:
    """Commit all that is there."""
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=A", "-c", "user.email=a@b.test", "commit", "-qm", why)


def task(folder: Path, name: str, due: str, price: float, coupon: str = "hunter2", **more: object) -> None:
    """Write the file of a task."""
    document = {
        "id": name,
        "due": due,
        "action": "APPLY_SALE",
        "payload": {"itemID": name.partition(" on ")[0], "newPrice": price, "salePercent": 50, "coupon": coupon},
    }
    path = folder / "tasks" / f"{name.replace(' ', '-')}.json"
    path.write_text(json.dumps(document | more, indent=2) + "\n", encoding="utf-8")


def pull_request(folder: Path) -> None:
    """Make a repository whose branch creates, edits and deletes, while main goes on."""
    run(folder, "git", "init", "-qb", "main")
    run(folder, str(SLOWSCHED), "init", "--owner", "acme/shop")
    schema = folder / "schemas/actions/APPLY_SALE.schema.json"
    document = json.loads(schema.read_text(encoding="utf-8"))
    document["properties"]["coupon"] = {"type": "string", "x-sensitive": True}
    schema.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for number, name in enumerate(
        ("winter coat on sale", "summer dress on sale", "old stock on sale", "boots on sale")
    ):
        task(folder, name, f"203{number}-11-29T08:00:00Z", 49.95 + number)
    commit(folder, "first tasks")
    run(folder, str(SLOWSCHED), "apply", "--yes", "--allow-dirty")
    run(folder, "git", "checkout", "-qb", "black-friday")
    task(folder, "winter coat on sale", "2030-11-29T09:00:00+01:00", 39.95, "correct horse", timezone="Europe/Berlin")
    task(folder, "black friday opens", "2031-11-28T00:00:00Z", 9.99, timezone="Europe/Berlin", grace="6h", protect=True)
    (folder / "tasks/old-stock-on-sale.json").unlink()
    commit(folder, "Black Friday")
    run(folder, "git", "checkout", "-q", "main")
    task(folder, "boots on sale", "2033-12-01T08:00:00Z", 59.95)
    task(folder, "raincoat on sale", "2032-04-01T08:00:00Z", 19.95)
    commit(folder, "boots later, a raincoat")
    run(folder, "git", "checkout", "-q", "black-friday")


# --- pictures --------------------------------------------------------------------------------------


def terminal_html(printed: str, columns: int) -> str:
    """Return what a terminal shows of a text with its colours."""
    console = Console(record=True, width=columns, file=io.StringIO(), color_system="truecolor")
    console.print(Text.from_ansi(printed), soft_wrap=False)
    return console.export_html(inline_styles=True, code_format="<pre style='margin:0;font:inherit'>{code}</pre>")


def comment_html(markdown: str) -> str:
    """Return a comment much as GitHub shows it, with its folds open."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    body = re.sub(r"<blockquote>\s*<p>\[!(\w+)\]", r'<blockquote class="\1"><p><b>\1</b><br>', body)
    return body.replace("<details>", "<details open>")


def draw(html: str, picture: Path, width: int) -> None:
    """Let Chromium draw a page as high as it is."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(html, encoding="utf-8")
        common = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/p",
        ]
        dom = _chromium([*common, f"--window-size={width},600", "--dump-dom", page.as_uri()])
        found = re.search(r'data-height="(\d+)"', dom)
        height = 600 if found is None else int(found[1])
        size = [f"--window-size={width},{height}", f"--force-device-scale-factor={SCALE}"]
        _chromium([*common, *size, f"--screenshot={picture}", page.as_uri()])


def _chromium(words: list[str]) -> str:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS_MAX, check=True)  # noqa: S603 - as named
    return ran.stdout


def main() -> None:
    """Draw all of them."""
    images = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs/images"
    images.mkdir(parents=True, exist_ok=True)
    plan = [str(SLOWSCHED), "plan", "--base", "main"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pull_request(folder)
        for picture, columns, color in (
            ("wide", 140, "always"),
            ("80-columns", 80, "always"),
            ("no-color", 80, "never"),
        ):
            printed = in_terminal(folder, *plan, "--color", color, columns=columns)
            body = terminal_html(printed, columns)
            width = 32 + columns * 9
            look = PLAIN if color == "never" else TERMINAL
            draw(PAGE.format(width=width, look=look, style="", body=body), images / f"plan-{picture}.png", width)
        body = comment_html(run(folder, *plan, "--format", "markdown"))
        draw(PAGE.format(width=1000, look=COMMENT, style=GITHUB, body=body), images / "comment.png", 1000)


if __name__ == "__main__":
    main()
