"""Files become samples, samples become batches."""
