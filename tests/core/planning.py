"""How the tests of the plan make one: files and rows in, through `compare` and `make_plan` as apply does it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from values import COMMIT, DAY, DUE, OWNER, a_declared, a_place, summary_of

from slowsched.decision import Allowance, decide
from slowsched.lifecycle import Applier
from slowsched.model import Change, ChangeKind, Declared, Field, Place, Plan, Row, Summary, Unreadable
from slowsched.plan import Comparison, PlanOptions, PlanSetting, compare, make_plan
from slowsched.timing import soonest

LEAD = timedelta(seconds=90)
NOW = DUE - 10 * DAY
PASSED = DUE + DAY  # a moment of planning at which DUE has passed

EDITED_DUE = DUE + 5 * DAY
PRICE_EDIT = {"payload": {"itemID": "some item", "newPrice": 19.99, "salePercent": 50}}
PRICE_FIELD = (Field(pointer="$.payload.newPrice", before=29.99, after=19.99),)
EDIT = {"due": EDITED_DUE, **PRICE_EDIT}
EDIT_FIELDS = (Field(pointer="$.due", before="2030-01-01T00:00:00Z", after="2030-01-06T00:00:00Z"), *PRICE_FIELD)

LATE_MESSAGE = (
    "it was due at 2030-01-01T00:00:00Z: give it a due ahead, or say --late run to run it now, "
    "or --late skip to record it as missed"
)


def summary(row: Row | Unreadable) -> Summary | Unreadable:
    """Return what one paged read tells of a row."""
    return row if isinstance(row, Unreadable) else summary_of(row)


def setting(**overrides: Any) -> PlanSetting:
    """Return where and when a plan is made: ten days before DUE, with the timer of AWS."""
    fields = {
        "environment": "local",
        "owner": OWNER,
        "commit": COMMIT,
        "now": NOW,
        "lead": LEAD,
        "delivery": timedelta(seconds=30),
    }
    return PlanSetting(**(fields | overrides))


def applier(now: Any = NOW, lead: timedelta = LEAD) -> Applier:
    """Return who would write the rows of such a plan."""
    return Applier(owner=OWNER, commit=COMMIT, now=now, soonest=soonest(now, lead))


def compared(declared: list[Declared], rows: list[Row | Unreadable], **options: Any) -> Comparison:
    """Compare files with rows, as one pass over both does."""
    return compare(iter(declared), iter([summary(row) for row in rows]), OWNER, PlanOptions(**options).named)


def planned(
    declared: list[Declared],
    rows: list[Row | Unreadable],
    *,
    problems: Any = (),
    where: PlanSetting | None = None,
    **options: Any,
) -> Plan:
    """Make the plan of these files over these rows; only the rows that it asks for are given to it."""
    comparison = compared(declared, rows, **options)
    fetched = {row.id: row for row in rows if row.id in comparison.ids}
    return make_plan(comparison, fetched, where or setting(), PlanOptions(**options), problems)


def decided(
    declared: Declared | None,
    row: Row | Unreadable | None,
    *,
    now: Any = NOW,
    lead: timedelta = LEAD,
    late: Any = None,
    supersede: Any = (),
) -> Change | None:
    """Return the one change of a plan over one file and one row, None when there is none.

    It is decided twice: through `compare` and `make_plan`, as apply does it, and by `decide` alone.
    """
    files = [] if declared is None else [declared]
    rows = [] if row is None else [row]
    plan = planned(files, rows, where=setting(now=now, lead=lead), late=late, supersede=frozenset(supersede))
    (change,) = plan.changes or (None,)
    allowance = Allowance(late=late, supersede=frozenset(supersede))
    assert decide(declared, row, applier(now, lead), allowance) == change
    return change


def moved(**overrides: Any) -> Declared:
    """Return a declared task whose file is another than the one that its row came from."""
    return a_declared(place=a_place(path="tasks/new.yaml", line=7, column=3), **overrides)


def change_of_file(kind: ChangeKind, declared: Declared, row: Row | None, **overrides: Any) -> Change:
    """Return the change of a task that a file declares."""
    task = declared.task
    fields = {"id": task.id, "kind": kind, "action": task.action, "due": task.due, "place": declared.place}
    return Change(**(fields | {"before": row, "declared": declared} | overrides))


def change_of_row(kind: ChangeKind, row: Row, **overrides: Any) -> Change:
    """Return the change of a task whose file is gone: it stands where the file stood."""
    place = Place(path="tasks/sale.yaml", line=1)
    fields = {"id": row.id, "kind": kind, "action": row.task.action, "due": row.task.due, "place": place}
    return Change(**(fields | {"before": row} | overrides))
