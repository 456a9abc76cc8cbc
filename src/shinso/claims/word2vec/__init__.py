"""Claims of the chapter on word vectors."""

ORDER = ("vocabulary", "cost", "meaning")
