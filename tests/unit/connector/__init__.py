"""Unit tests of the connector: pure parts, no servers."""
