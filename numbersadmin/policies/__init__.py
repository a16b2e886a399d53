"""What may be ordered without whom: approval policies, budgets, and the stop of everything."""
