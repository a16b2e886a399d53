"""Attestation: once in a while each owner says which numbers to keep, hand over or give back."""
