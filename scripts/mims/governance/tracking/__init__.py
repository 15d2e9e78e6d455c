"""Versions and the MLflow runs that they come from."""
