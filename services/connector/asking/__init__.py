"""Answers questions that people put to the connector by HTTP, and decides who may ask."""
