"""Claims of the chapter on DenseNet."""

ORDER = ("connectivity", "growth", "parameters")
