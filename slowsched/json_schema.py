"""JSON Schemas (draft 2020-12): compiled once, decided by `jsonschema-rs`, explained by `jsonschema`.

Deciding is needed for every task, explaining only for what was refused, so `jsonschema` is imported then and
not before. The decision is always the first one's; where the second has nothing to say, the first one's own
words are used. A `$ref` leads to a place in the same file: nothing is ever fetched.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

import jsonschema_rs

from slowsched.canonical import pointer
from slowsched.schema_places import SensitivePlaces
from slowsched.sensitive import value_mask
from slowsched.task_file import Violation
from slowsched.wording import problem, shown
from slowsched.yaml_reader import locate, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slowsched.model import Problem

    Way = tuple[str | int, ...]

__all__ = ["CompiledSchema", "compile_schema", "read_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES = ("$ref", "$dynamicRef")
_VIOLATIONS_MAX = 100  # of one value: whoever has more has another kind of problem
_WORDS_MAX = 200  # characters of a library's own message, which may hold the whole value


class CompiledSchema:
    """A schema that values are held against; a `task_file.Schema`."""

    def __init__(self, schema: dict[str, Any] | bool, validator: jsonschema_rs.Draft202012Validator) -> None:
        self._schema = schema
        self._validator = validator
        self._places = SensitivePlaces(schema, _matches)

    def is_valid(self, value: Any) -> bool:
        """Say whether the value keeps to the schema."""
        return self._validator.is_valid(value)

    def explain(self, value: Any) -> list[Violation]:
        """Return every violation by a value that is not valid, at least one; none quotes what is sensitive."""
        from slowsched.json_schema_words import explained  # noqa: PLC0415 - needed for what was refused only

        decided = list(islice(self._validator.iter_errors(value), _VIOLATIONS_MAX))
        found = explained(self._schema, value, _unexpected(decided))
        found = found or [_own_words(error) for error in decided]
        hidden = self.sensitive(value)
        if hidden:
            found = _without_values(found, value, hidden)
        return list(dict.fromkeys(found))[:_VIOLATIONS_MAX]

    def sensitive(self, value: Any) -> frozenset[Way]:
        """Return the ways to what the schema marks as sensitive in a value."""
        return self._places.of(value)


def _unexpected(errors: list[jsonschema_rs.ValidationError]) -> dict[Way, list[str]]:
    """Return the keys that `unevaluatedProperties` refused, by the way to what holds them."""
    return {
        tuple(error.instance_path): list(error.kind.unexpected)
        for error in errors
        if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.UnevaluatedProperties)
    }


def _own_words(error: jsonschema_rs.ValidationError) -> Violation:
    return Violation(way=tuple(error.instance_path), code="schema", message=error.message[:_WORDS_MAX])


def _matches(pattern: str, text: str) -> bool:
    return jsonschema_rs.is_valid({"pattern": pattern}, text, draft=jsonschema_rs.Draft202012)


def _without_values(found: list[Violation], value: Any, hidden: frozenset[Way]) -> list[Violation]:
    """Return violations that quote nothing sensitive: at or below a hidden place, and of what holds one."""
    # Whatever its length: "1" in another number is a mask too many, and a PIN of two digits is none too few.
    mask = value_mask(value, {pointer(("payload", *way)) for way in hidden}, shortest=1)
    return [_without_value(violation, mask, hidden) for violation in found]


def _without_value(violation: Violation, mask: Callable[[str], str], hidden: frozenset[Way]) -> Violation:
    way = violation.way
    place = next((way[:length] for length in range(len(way) + 1) if way[:length] in hidden), None)
    if place is not None:
        message = "this value breaks the schema of its action, and is not shown: it is sensitive"
        return Violation(way=place, code="schema", message=message)
    if violation.code == "schema" and mask(violation.message) != violation.message:
        message = "this value breaks the schema of its action, and is not shown: it holds what is sensitive"
        return Violation(way=way, code="schema", message=message)
    return violation


def read_schema(path: str, data: bytes) -> CompiledSchema | list[Problem]:
    """Read a schema file (strict JSON) and compile it; what is wrong with it are problems of that file."""
    documents, problems = read(path, data)
    if problems:
        return problems
    compiled = compile_schema(documents[0].value)
    if isinstance(compiled, CompiledSchema):
        return compiled
    return [problem(path, locate(documents[0], compiled.way), compiled.way, compiled.code, compiled.message)]


def compile_schema(schema: Any) -> CompiledSchema | Violation:
    """Compile a schema, or say where and why it is none."""
    draft = schema.get("$schema", _DRAFT) if isinstance(schema, dict) else _DRAFT
    if not isinstance(draft, str) or draft.removesuffix("#") != _DRAFT:
        message = f"a schema of another draft would be misread: write {_DRAFT}, and follow it"
        return Violation(way=("$schema",), code="bad-schema", message=message)
    try:
        return CompiledSchema(schema, jsonschema_rs.Draft202012Validator(schema, retriever=_refuse))
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return _broken(schema, error)


def _refuse(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is not fetched")


def _broken(schema: Any, error: Exception) -> Violation:
    message = str(getattr(error, "message", error))
    way = tuple(getattr(error, "instance_path", ()))
    at_fault = None if way else _reference_in(message, schema)
    if at_fault is not None:
        way, reference = at_fault
        what = "names nothing in this file" if reference.startswith("#") else "leads out of this file"
        message = f"{shown(reference)} {what}: put what it stands for under $defs, and refer to it as #/$defs/..."
        return Violation(way=way, code="bad-schema", message=message)
    return Violation(way=way, code="bad-schema", message=f"this is no JSON Schema: {message[:_WORDS_MAX]}")


def _reference_in(message: str, schema: Any) -> tuple[Way, str] | None:
    """Return the reference that a message quotes (as it is, or resolved against an id), and the way to it."""
    for quoted in ("'{}'", "/{}'"):
        for way, reference in _references(schema, ()):
            if quoted.format(reference.removeprefix("#")) in message:
                return way, reference
    return None


def _references(schema: Any, way: Way) -> Iterator[tuple[Way, str]]:
    """Yield every reference in a schema and the way to it; the reader has bounded the depth."""
    items = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for part, value in items:
        if part in _REFERENCES and isinstance(value, str):
            yield (*way, part), value
        yield from _references(value, (*way, part))
