"""Runs integrations: requests runs, follows what connectors report of them, and moves their time on."""
