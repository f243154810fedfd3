"""What options take beyond text: a duration, a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click import Context, Parameter

    DurationType = click.ParamType[timedelta]
    MomentType = click.ParamType[datetime]
    LateType = click.ParamType[tuple[str | None, str]]
else:
    DurationType = MomentType = LateType = click.ParamType  # generic from click 8.4 on only

__all__ = ["DURATION", "LATE", "MOMENT"]

_EXAMPLE = "2030-01-01T00:00:00Z"


class _Duration(DurationType):
    """`90s`, `15m`, `6h`, `2d`."""

    name = "duration"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> timedelta:
        from slowsched.timing import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Moment(MomentType):
    """A moment with an offset, as in RFC 3339; in UTC once read."""

    name = "time"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> datetime:
        text = value.strip()
        try:
            moment = datetime.fromisoformat(text.upper())
        except ValueError:
            self.fail(f"{value!r} is no time: write it as {_EXAMPLE}", param, ctx)
        if moment.tzinfo is None:
            whole = moment.isoformat()
            self.fail(f"{value!r} has no offset: write {whole}Z for UTC, or {whole}+02:00 for another", param, ctx)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} is no time in UTC: write it as {_EXAMPLE}", param, ctx)


class _Late(LateType):
    """`run` or `skip`, for all that is late; `ID=run` or `ID=skip` for one task."""

    name = "late"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> tuple[str | None, str]:
        task_id, equals, choice = value.rpartition("=")
        if choice not in {"run", "skip"} or (equals and not task_id):
            self.fail(f"{value!r} is not 'run', 'skip', 'ID=run' or 'ID=skip'", param, ctx)
        return task_id if equals else None, choice


DURATION = _Duration()
LATE = _Late()
MOMENT = _Moment()
