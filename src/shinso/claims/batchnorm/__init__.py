"""Claims of the chapter on batch normalization."""
