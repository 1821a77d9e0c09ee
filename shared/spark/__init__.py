"""Carries Spark messages: the envelope, and the broker's queues, publisher and consumer."""
