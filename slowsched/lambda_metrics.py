"""What a wake did, as metrics of CloudWatch: one line of the log in the embedded metric format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from slowsched.model import OutcomeKind

if TYPE_CHECKING:
    from slowsched.reports import WakeReport

__all__ = ["NAMESPACE", "put_metrics"]

NAMESPACE = "slowsched"


def put_metrics(report: WakeReport, *, table: str) -> None:
    """Write the metrics of one wake to standard output; zeros as well, so that an alarm has data."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, default_dimensions={"table": table})
    metrics.service = ""  # else a second dimension where a team has set Powertools' variable: alarms would see nothing
    succeeded = sum(1 for each in report.attempts if each.outcome is OutcomeKind.SUCCEEDED)
    counts = {
        "Wakes": 1,
        "Executed": succeeded,
        "Failed": len(report.attempts) - succeeded,
        "Dead": len(report.dead),
        "Missed": len(report.missed),
        "Overdue": report.left,
        "ClaimConflicts": report.conflicts,
        "ArmRounds": report.arm_rounds,
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    oldest = 0.0 if report.oldest_overdue is None else report.oldest_overdue.total_seconds()
    metrics.add_metric("OldestOverdueSeconds", MetricUnit.Seconds, oldest)
    for attempt in report.attempts:
        metrics.add_metric("LatenessSeconds", MetricUnit.Seconds, attempt.late_seconds)  # a hundred to a line
    metrics.flush_metrics()
