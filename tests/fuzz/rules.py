"""What the task files of the fuzzing are held against: the project's own schemas, and two actions more."""

from __future__ import annotations

from pathlib import Path

from slowsched.config import load_config
from slowsched.json_schema import CompiledSchema, compile_schema
from slowsched.repository import rules_of
from slowsched.task_file import Rules

__all__ = ["RULES"]

PROJECT = Path(__file__).resolve().parent.parent.parent


def _compiled(schema: object) -> CompiledSchema:
    compiled = compile_schema(schema)
    assert isinstance(compiled, CompiledSchema)
    return compiled


def _rules() -> Rules:
    own = rules_of(load_config(PROJECT), [])
    actions = {
        "APPLY_SALE": own.actions["APPLY_SALE"],
        "ANY": _compiled(True),
        "SECRET": _compiled({"additionalProperties": {"x-sensitive": True}}),
    }
    return Rules(task_schema=own.task_schema, actions=actions, environments={"local", "production"}, zones=own.zones)


RULES = _rules()
