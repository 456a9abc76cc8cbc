"""Claims of the chapter on attention."""
