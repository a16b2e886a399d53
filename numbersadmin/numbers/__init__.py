"""Owned numbers and the versions of their facts."""
