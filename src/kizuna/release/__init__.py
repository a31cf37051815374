"""Labels, dated agreements, and one pure decision that explains itself. Standard library and `model/` only."""
