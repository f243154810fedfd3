"""Where MiniStack 1.5.33 differs from AWS, and matters to us: each difference mended, by name.

Run by the Python of `.emulators/`, inside MiniStack's process. Nothing here makes MiniStack kinder than AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import answers
import targets
import timers
from reach import MendError, check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# In this order: a later one wraps what an earlier one left.
MENDS: dict[str, Callable[[], None]] = {
    "quick-clock": timers.quick_clock,
    "rules-count-from-their-put": timers.rules_count_from_their_put,
    "puts-replace-everything": timers.puts_replace_everything,
    "schedules-can-be-set-again": timers.schedules_can_be_set_again,
    "functions-are-invoked-asynchronously": targets.functions_are_invoked_asynchronously,
    "targets-need-a-permission": targets.targets_need_a_permission,
    "destinations-need-a-right": targets.destinations_need_a_right,
    "resources-are-named-as-on-aws": answers.resources_are_named_as_on_aws,
    "schedules-need-their-role-passed": answers.schedules_need_their_role_passed,
    "refusals-name-the-resource": answers.refusals_name_the_resource,
    "functions-have-an-interpreter-of-their-own": answers.functions_have_an_interpreter_of_their_own,
    "alarms-are-described-whole": answers.alarms_are_described_whole,
}


def mend(without: Sequence[str] = ()) -> None:
    """Mend all differences but those named.

    Raises:
        MendError: A name is unknown, or MiniStack is not as the mends know it.
    """
    unknown = set(without) - MENDS.keys()
    if unknown:
        raise MendError(f"there is no mend {', '.join(sorted(unknown))}; there are {', '.join(MENDS)}")
    check_names()
    for name, apply in MENDS.items():
        if name not in without:
            apply()
