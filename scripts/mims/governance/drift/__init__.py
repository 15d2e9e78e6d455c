"""Is what a model sees still what it was made for: baselines, and checks against them."""
