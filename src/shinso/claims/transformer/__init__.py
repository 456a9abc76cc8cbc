"""Claims of the chapter on the Transformer."""
