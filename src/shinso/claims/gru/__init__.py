"""Claims of the chapter on gated recurrent units."""

ORDER = ("parameters", "quality")
