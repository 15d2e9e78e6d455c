"""A local AWS: moto's server, held to the limits and the timing that the real one has."""
