"""Makes a Vault that is not in production misbehave on purpose, so that its clients can be tested against it."""
