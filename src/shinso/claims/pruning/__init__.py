"""Claims of the chapter on pruning."""

ORDER = ("speed", "accuracy")
