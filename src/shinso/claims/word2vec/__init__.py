"""Claims of the chapter on word vectors."""
