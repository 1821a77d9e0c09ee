"""Sends messages over Spark queues, and administers the queues."""
