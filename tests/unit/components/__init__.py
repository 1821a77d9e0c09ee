"""Tests of MDL, components, registry and schema."""
