"""Claims of the chapter on language models."""
