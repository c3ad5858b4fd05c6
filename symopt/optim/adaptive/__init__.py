"""Step sizes of their own for each unknown, by signs and trends of the gradient."""
