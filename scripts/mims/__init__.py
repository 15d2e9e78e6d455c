"""Package a model, make its sample payloads, register it, promote it."""

__version__ = "0.1.0"
