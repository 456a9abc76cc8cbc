"""Claims of the chapter on bidirectional networks."""

ORDER = ("future", "leak")
