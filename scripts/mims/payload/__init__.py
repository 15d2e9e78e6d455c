"""Payloads: sample requests for a model, made from what its artifacts say of its fields."""
