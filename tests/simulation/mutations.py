"""Every rule of the protocols, left out on purpose: the simulator must find each within so many seeds.

A rule is left out in the source of one module, in a process of its own, before anything of slowsched is imported.
"""

from __future__ import annotations

from dataclasses import dataclass

SEEDS_MAX = 400  # of one rule, over its profiles in turn
SECONDS_MAX = 300  # a rule that is not noticed shall not hold up the others for ever


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A rule, the module and text that hold it, what stands there instead, and the days that need it.

    One without a text is that of the infrastructure: the heartbeat.
    """

    module: str
    text: str
    instead: str
    profiles: tuple[str, ...] = ("calm", "people")


_LOOK = "if _wanted(backend, _look(backend, next_wake)) == minute:"
_WRITING = "    try:\n        writing.run()\n    finally:\n        try:"

MUTATIONS: dict[str, Mutation] = {
    "the second look": Mutation(module="arm", text=_LOOK, instead="if True:", profiles=("overlaps",)),
    "the second look's later half": Mutation(
        module="arm",
        text=_LOOK,
        instead="if (_wanted(backend, _look(backend, next_wake)) or minute) >= minute:",
        profiles=("overlaps", "rush"),
    ),
    "the strong read": Mutation(
        module="store.dynamodb",
        text='TableName=self._table, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", **question',
        instead='TableName=self._table, ReturnConsumedCapacity="TOTAL", **question',
    ),
    "always writing the timer": Mutation(
        module="arm",
        text="        backend.timer.arm(written)",
        instead="        if backend.timer.armed() != written:\n            backend.timer.arm(written)",
        profiles=("pairs",),
    ),
    "rounding up": Mutation(
        module="timing",
        text="minute = ceil_minute(wake_at)",
        instead="minute = wake_at.replace(second=0, microsecond=0)",
    ),
    "leaving a wake that may be on its way": Mutation(
        module="timing",
        text="if now < asked_for + _MINUTE + delivery:",
        instead="if False:",
        profiles=("edges",),
    ),
    "pushing one that is lost by the lead": Mutation(
        module="timing",
        text="    return ceil_minute(now + lead)\n",
        instead="    return minute\n",
        profiles=("timer", "storm"),
    ),
    "not writing near moments": Mutation(
        module="arm",
        text="if minute is None or (first and minute != own and minute < backend.clock() + backend.timer.near):",
        instead="if minute is None:",
        profiles=("edges", "overlaps"),
    ),
    "soonest": Mutation(
        module="backend", text="return soonest(self.clock(), self.timer.lead)", instead="return self.clock()"
    ),
    "arming before executing": Mutation(
        module="wake",
        text="                    self._arm()\n                    self._execute(claimed)",
        instead="                    self._execute(claimed)",
        profiles=("no heartbeat",),
    ),
    "walking again while actions run": Mutation(
        module="wake",
        text="self._settle(self._runner.wait(self._seconds_to_next()))",
        instead="self._settle(self._runner.wait())",
    ),
    "staying": Mutation(
        module="wake",
        text="moment = self._next_moment() if self._near and self._goes_on() else None",
        instead="moment = None",
    ),
    "the claim's second try": Mutation(
        module="agenda_walk",
        text="won = self._take_again(step, answer.found)",
        instead="won = None",
        profiles=("policies",),
    ),
    "not_before": Mutation(
        module="control",
        text="pause=None, not_before=moment",
        instead="pause=None",
        profiles=("people", "pauses"),
    ),
    "the version condition": Mutation(
        module="store.dynamodb",
        text='        "ConditionExpression": "#version = :version",',
        instead='        "ConditionExpression": "attribute_exists(#version)",',
        profiles=("people", "timer"),
    ),
    "write_id": Mutation(
        module="store.items",
        text='return refused.found is not None and refused.found.get("write_id") == item["write_id"]',
        instead="return False",
        profiles=("network", "commits", "killed commits"),
    ),
    "the token on settle": Mutation(
        module="lifecycle", text=" or row.claim.token != token", instead="", profiles=("frozen",)
    ),
    "the margin of the lease": Mutation(
        module="lifecycle",
        text="row.task.timeout + LEASE_MARGIN",
        instead="row.task.timeout",
        profiles=("actions", "people"),
    ),
    "counting attempts at the claim": Mutation(
        module="lifecycle",
        text="state=State.RUNNING,\n        attempt=row.attempt + 1,",
        instead="state=State.RUNNING,\n        attempt=row.attempt,",
    ),
    "arming in finally": Mutation(
        module="apply",
        text=_WRITING,
        instead="    writing.run()\n    if True:\n        try:",
        profiles=("cancels",),
    ),
    "writing rows before arming": Mutation(
        module="apply",
        text=_WRITING,
        instead="    arm(backend)\n    writing.run()\n    if False:\n        try:",
    ),
    "applying in the control row": Mutation(
        module="apply",
        text="                self._lock.applying(self._request.commit)",
        instead="                pass",
        profiles=("killed commits",),
    ),
    "the heartbeat": Mutation(module="arm", text="", instead="", profiles=("timer", "crashes")),
    "the tombstone's generation": Mutation(
        module="lifecycle",
        text="generation=tombstone.generation",
        instead="generation=0",
        profiles=("people", "commits"),
    ),
    "the tombstone's lease end": Mutation(
        module="lifecycle",
        text="        claim=_held(superseded, by.now),\n        expires_at",
        instead="        expires_at",
        profiles=("supersedes",),
    ),
    # what the simulator itself has found
    "asking the timer for what is left behind": Mutation(
        module="wake", text="elif self._leaves_anew():", instead="elif False:", profiles=("busy",)
    ),
    "arming what is near by now where one has set it oneself": Mutation(
        module="arm", text="first and minute != own and", instead="first and", profiles=("overlaps",)
    ),
    "keeping the moment that was asked for": Mutation(
        module="timing", text="if now < asked_for + _MINUTE", instead="if now < minute + _MINUTE", profiles=("busy",)
    ),
    "the lease of a superseded attempt that hangs": Mutation(
        module="settling",
        text="settled = settled or _hosted_on(found, claimed, hosted_until)",
        instead="pass",
        profiles=("supersedes",),
    ),
    "staying for the first moment after a resume": Mutation(
        module="wake", text="    if resumed is not None:", instead="    if False:", profiles=("people", "pauses")
    ),
}
