"""Registries that a model can be registered in."""
