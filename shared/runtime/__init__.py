"""Provides what every process needs: settings, logging, telemetry, health, start and stop."""
