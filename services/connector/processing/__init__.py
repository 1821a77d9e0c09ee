"""Processing: inbound message to integration point to outcome."""
