"""What `symopt compile` writes: native code that stands alone, and what goes with it."""
