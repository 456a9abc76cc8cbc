"""Claims of the chapter on the Transformer."""

ORDER = ("parallel", "translate")
