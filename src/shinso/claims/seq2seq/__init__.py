"""Claims of the chapter on encoder and decoder."""
