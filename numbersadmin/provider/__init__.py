"""The provider's number API over HTTP: five calls, exact prices, three outcomes for a write."""
