"""Orders: ask, approve, execute, settle; for buying and for cancelling."""
