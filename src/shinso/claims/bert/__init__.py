"""Claims of the chapter on BERT."""
