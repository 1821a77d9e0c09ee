"""Runs of integrations: requested, carried out by connectors, counted in, and the time moved on."""
