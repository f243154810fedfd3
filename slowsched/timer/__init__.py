"""The timer: one port (`base`) and its adapters."""
