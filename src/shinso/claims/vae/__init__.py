"""Claims of the chapter on variational autoencoders."""
