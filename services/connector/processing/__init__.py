"""Takes inbound messages to their integration points, and keeps their exceptions."""
