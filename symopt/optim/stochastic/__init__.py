"""Methods for samples that come in batches."""
