"""Emulators of AWS and real Terraform, as processes on loopback that a test starts and ends.

`make emulators` installs them into `.emulators/`, apart from slowsched's own environment. A module of this package
starts one thing and knows nothing of slowsched; what each can be trusted for, and what not, is said at its top.
"""
