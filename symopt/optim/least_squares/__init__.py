"""Methods for sums of squares and other losses of a marked model."""
