"""Linear systems as optimizers meet them: dense, sparse, by block elimination, by products."""
