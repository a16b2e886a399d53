"""The number-management dashboard: search, order, approve, own, sync and cost rented phone numbers."""
