"""Describes the API as an OpenAPI document: the routes, completed with headers, examples and their schemas."""
