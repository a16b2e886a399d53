"""Append-only events: who changed what, when and why."""
