"""Claims of the chapter on layer normalization."""
