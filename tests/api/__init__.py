"""The whole HTTP API against its own description."""
