"""Packaging: a trained model and its inference code become one archive."""
