"""Whether what is registered serves: what the registry names, its sample requests, the answers."""
