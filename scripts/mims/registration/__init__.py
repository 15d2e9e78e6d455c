"""Registering a packaged model: verify, store, register in each region, wait, report."""
