"""Bounded exhaustive search: every schedule with few preemptions of small configurations, over the production code."""
