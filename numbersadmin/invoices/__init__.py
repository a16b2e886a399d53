"""The provider's invoices: read, compared with the ledger line by line, and differences posted."""
