"""Claims of the chapter on attention."""

ORDER = ("alignment", "length")
