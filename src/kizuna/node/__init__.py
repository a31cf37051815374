"""Use cases over ports: publish, share, receive, decide, audit. No framework, no file, no socket, no clock of its own."""
