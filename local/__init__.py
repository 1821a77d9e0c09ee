"""Runs the whole system on one machine, with its own PostgreSQL and RabbitMQ and nothing of the machine's."""
