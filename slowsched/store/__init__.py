"""The store: one port (`base`) and its adapters."""
