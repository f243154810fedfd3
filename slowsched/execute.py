"""The registry of actions, and the running of one attempt."""
