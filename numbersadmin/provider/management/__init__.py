"""Commands of the provider client."""
