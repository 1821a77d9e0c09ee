"""The OpenAPI document: what the routes say of themselves, completed with headers, examples and their schemas."""
