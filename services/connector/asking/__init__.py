"""Answers users' questions to the connector by HTTP, and decides who may ask."""
