"""Search of what the provider has for sale."""
