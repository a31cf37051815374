"""Stand-ins for what a node meets: a partner's desk, a served partner, products to hand about."""
