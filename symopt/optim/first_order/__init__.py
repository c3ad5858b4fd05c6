"""Methods that use gradients: descent, conjugate gradients, quasi-Newton."""
