"""Claims of the chapter on instance normalization."""
