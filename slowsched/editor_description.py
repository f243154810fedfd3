"""What the editor's interface offers, as an OpenAPI description; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BODY_BYTES_MAX", "description"]

BODY_BYTES_MAX = 1024 * 1024  # of a request, as of a task file


def description(task_schema: dict[str, Any], *, actions: Iterable[str], version: str, token: bool) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description; `token` says whether one is asked for.

    `task_schema` is slowsched's own; `actions` are those that exist in the repository.
    """
    task = _embedded(task_schema)
    task["properties"]["action"]["enum"] = sorted(actions)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "slowsched editor", "version": version, "description": _ABOUT},
        "paths": {
            "/tasks": {"get": _list(), "post": _save()},
            "/tasks/{id}": {"parameters": [_ID], "get": _find(), "delete": _delete()},
            "/plan": {"get": _plan()},
        },
        "components": {"schemas": {"Task": task, "Problem": _PROBLEM, "Refused": _REFUSED}},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


_ABOUT = "The task files of a work tree, by the REST API of inovex/cloudwatch-scheduler. It writes files, never rows."
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_PROBLEM = {
    "type": "object",
    "required": ["path", "line", "column", "pointer", "code", "message", "severity"],
    "properties": {
        **{name: {"type": "string"} for name in ("path", "pointer", "code", "message", "severity")},
        **{name: {"type": "integer", "minimum": 1} for name in ("line", "column")},
    },
}
_REFUSED = {
    "type": "object",
    "required": ["message", "problems"],
    "properties": {
        "message": {"type": "string"},
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
    },
}


def _embedded(schema: Any) -> Any:
    """Return a schema whose references lead to where it stands in the description."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/", "#/components/schemas/Task/") if key == "$ref" else _embedded(value)
            for key, value in schema.items()
            if key != "$schema"
        }
    return [_embedded(each) for each in schema] if isinstance(schema, list) else schema


def _answers(**codes: dict[str, Any]) -> dict[str, Any]:
    """Return the answers of an operation: its own, and those that every one may have."""
    own = {code.removeprefix("_"): answer for code, answer in codes.items()}
    return own | {
        "403": _refused("a foreign Host or Origin, or no token"),
        "409": _refused("the files changed meanwhile, or contradict each other"),
        "503": _refused("git, the disk or the backend does not answer"),
    }


def _refused(text: str) -> dict[str, Any]:
    return _json(text, {"$ref": "#/components/schemas/Refused"})


def _json(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _task(text: str) -> dict[str, Any]:
    return _json(text, {"$ref": "#/components/schemas/Task"})


def _list() -> dict[str, Any]:
    tasks = {"type": "array", "items": {"type": "object"}}  # as their files say it, problems included
    return {"operationId": "listTasks", "responses": _answers(_200=_json("all tasks, in the order of files", tasks))}


def _save() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Task"}
    return {
        "operationId": "saveTask",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _answers(
            _200=_task("the task stands in its file anew"),
            _201=_task("the task has a new file"),
            _413=_refused(f"more than {BODY_BYTES_MAX} bytes"),
            _415=_refused("no JSON by its Content-Type"),
            _422=_refused("the problems of the task"),
        ),
    }


def _find() -> dict[str, Any]:
    task = _json("the task as its file says it", {"type": "object"})
    return {"operationId": "findTask", "responses": _answers(_200=task, _404=_refused("no file declares it"))}


def _delete() -> dict[str, Any]:
    gone = {"type": "object", "required": ["id", "path"], "properties": {"id": {}, "path": {"type": "string"}}}
    answers = _answers(_200=_json("no file declares it any more", gone), _404=_refused("no file declared it"))
    return {"operationId": "deleteTask", "responses": answers}


def _plan() -> dict[str, Any]:
    plan = _json("what apply would do, as `slowsched schema plan` says", {"type": "object"})
    return {"operationId": "showPlan", "responses": _answers(_200=plan)}
