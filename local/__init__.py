"""Runs the whole system on one machine, with private PostgreSQL and RabbitMQ, apart from the machine's own."""
