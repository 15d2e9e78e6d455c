"""From what a request holds to the matrix that the booster reads; training uses the same code."""
