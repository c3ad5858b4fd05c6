"""Methods that use the Hessian, or another metric of the unknowns."""
