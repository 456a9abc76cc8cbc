"""Claims of the chapter on autoencoders."""
