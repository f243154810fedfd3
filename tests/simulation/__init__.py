"""A deterministic simulator: the production code of apply, arm and wake, in a world that one seed decides.

README.md beside this says what is simulated, and which command does what.
"""
