"""Methods that use values only."""
