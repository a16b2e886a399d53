"""Reading the purchased list: compare, apply, runs."""
