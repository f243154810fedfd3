"""Why a value breaks its schema, in plain words: what `jsonschema` finds, told for people.

Patterns are matched by `jsonschema-rs` here too: both then mean the same by a pattern, and none of them can
be made to run for hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing.jsonschema import EMPTY_REGISTRY

from slowsched.task_file import Violation
from slowsched.wording import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Way = tuple[str | int, ...]

__all__ = ["explained"]

_WORDS_MAX = 200  # characters of the library's own message, which may hold the whole value
_FORMS_MAX = 3  # of the alternatives that a message lists

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_LIMITS = {
    "minimum": "must be at least {limit}, and is {value}",
    "maximum": "must be at most {limit}, and is {value}",
    "exclusiveMinimum": "must be more than {limit}, and is {value}",
    "exclusiveMaximum": "must be less than {limit}, and is {value}",
    "multipleOf": "must be a multiple of {limit}, and is {value}",
    "minLength": "must have at least {limit} characters, and has {count}",
    "maxLength": "must have at most {limit} characters, and has {count}",
    "minItems": "must have at least {limit} items, and has {count}",
    "maxItems": "must have at most {limit} items, and has {count}",
    "minProperties": "must have at least {limit} keys, and has {count}",
    "maxProperties": "must have at most {limit} keys, and has {count}",
    "const": "must be {limit}, and is {value}",
    "pattern": "{value} does not match the pattern {limit}",
    "uniqueItems": "holds the same item twice",
}


def explained(schema: Any, value: Any, unevaluated: Mapping[Way, list[str]]) -> list[Violation]:
    """Return what `jsonschema` has to say against the value; nothing when it finds no fault, or fails.

    `unevaluated` has the keys that no part of the schema knows, by the way to what holds them.
    """
    try:
        errors = list(_Explainer(schema, registry=EMPTY_REGISTRY).iter_errors(value))
        return [violation for error in errors for violation in _violations(error, unevaluated)]
    except Exception:  # noqa: BLE001 - a fault of the second engine must not hide the first one's decision
        return []


# --- what differs from the library's own explanations ----------------------------------------------


def _matches(pattern: str, text: str) -> bool:
    return jsonschema_rs.is_valid({"pattern": pattern}, text, draft=jsonschema_rs.Draft202012)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError("does not match")


def _properties(validator: Any, properties: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """Find fault with a key that must not be there at that key; the library forgets which it is."""
    if isinstance(instance, dict):
        for key, subschema in properties.items():
            if key in instance and subschema is False:
                yield ValidationError("must not be here", path=[key])
            elif key in instance:
                yield from validator.descend(instance[key], subschema, path=key, schema_path=key)


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            for key, value in instance.items():
                if _matches(pattern, key):
                    yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, additional: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Find fault with each further key by itself, so that each has its place."""
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(_matches(pattern, key) for pattern in patterns):
            continue
        if additional is False:
            yield ValidationError("is not known", path=[key])
        else:
            yield from validator.descend(value, additional, path=key)


def _property_names(validator: Any, names: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """Find fault with a key at that key."""
    if isinstance(instance, dict):
        for key in instance:
            for error in validator.descend(instance=key, schema=names):
                yield ValidationError(f"the key {shown(key)}: {_message(error)}", path=[key])


_Explainer: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        "properties": _properties,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "propertyNames": _property_names,
    },
)


# --- the words -------------------------------------------------------------------------------------


def _violations(error: Any, unevaluated: Mapping[Way, list[str]]) -> Iterator[Violation]:
    way = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties" if error.validator_value is False:
            yield _unknown_key(way, error.schema)
        case "unevaluatedProperties" if way in unevaluated:
            yield from (_unknown_key((*way, key), error.schema) for key in unevaluated[way])
        case "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield Violation(way=way, code="missing-key", message=f"the key {shown(key)} is missing")
        case "anyOf" | "oneOf" if error.context:
            nearest = best_match([error])
            if nearest is error or nearest is None:
                yield Violation(way=way, code="schema", message=_no_form(error))
            else:
                yield from _violations(nearest, unevaluated)
        case _:
            yield Violation(way=way, code="schema", message=_message(error))


def _unknown_key(way: Way, schema: Any) -> Violation:
    key = str(way[-1])
    known = did_you_mean(key, schema.get("properties", {}))
    return Violation(way=way, code="unknown-key", message=f"unknown key {shown(key)}{known}")


def _no_form(error: Any) -> str:
    """Say what is wrong with each of the alternatives, none of which is nearer than the others."""
    faults = list(dict.fromkeys(_message(one) for one in error.context or ()))
    listed = "; or ".join(faults[:_FORMS_MAX])
    return f"fits none of the forms that the schema has for it ({listed}{'; ...' if len(faults) > _FORMS_MAX else ''})"


def _message(error: Any) -> str:
    value, limit = error.instance, error.validator_value
    keyword = str(error.validator)
    if keyword == "type":
        return _wrong_type(value, limit)
    if keyword == "enum":
        return _no_choice(value, limit)
    if keyword == "oneOf":
        return "fits more than one of the forms of which exactly one must fit"
    if keyword in _LIMITS:
        return _limit(keyword, limit, value)
    if error.validator is None:
        return "must not be here"
    return error.message if len(error.message) <= _WORDS_MAX else f"breaks {keyword!r} of its schema"


def _limit(keyword: str, limit: Any, value: Any) -> str:
    if keyword in {"minLength", "minItems", "minProperties"} and limit == 1:
        return "must not be empty"
    count = len(value) if isinstance(value, str | list | dict) else 0
    return _LIMITS[keyword].format(
        limit=limit if keyword == "pattern" else shown(limit), value=shown(value), count=count
    )


def _wrong_type(value: Any, expected: str | list[str]) -> str:
    names = [expected] if isinstance(expected, str) else expected
    message = f"must be {' or '.join(_KINDS[name] for name in names)}, and is {_kind(value)}"
    if "string" in names and isinstance(value, bool | int | float):
        return f"{message}: quote it"
    if isinstance(value, str) and {"integer", "number"} & {*names} and value.replace(".", "", 1).isdecimal():
        return f"{message}: write it without quotes"
    return message


def _kind(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (dict, "object"), (list, "array"), (str, "string"), (type(None), "null")):
        if isinstance(value, kind):
            return shown(value) if kind is bool else _KINDS[name]
    return f"the number {shown(value)}"


def _no_choice(value: Any, choices: list[Any]) -> str:
    listed = ", ".join(shown(choice) for choice in choices)
    message = f"must be one of {listed if len(listed) <= _WORDS_MAX else 'the values of its schema'}"
    known = did_you_mean(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
    return f"{message}, and is {shown(value)}{known}"
