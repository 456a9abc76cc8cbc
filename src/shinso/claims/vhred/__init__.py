"""Claims of the chapter on dialogue with variation."""
