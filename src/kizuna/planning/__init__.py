"""Who sees what when: access windows, and what follows from them."""
