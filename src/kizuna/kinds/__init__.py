"""One small module a kind of product: sniff, validate, extract, summarise, redact. Imagery today."""
