"""Claims of the chapter on batch normalization."""

ORDER = ("moments", "speed", "init", "regularization")
