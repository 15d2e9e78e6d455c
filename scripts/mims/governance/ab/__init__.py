"""Is the new version better: two variants behind one endpoint, watched until it is known."""
