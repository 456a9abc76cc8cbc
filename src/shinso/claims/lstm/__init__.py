"""Claims of the chapter on long short-term memory."""

ORDER = ("vanishing", "sigmoid", "cec", "cec_uniform", "gates", "forget", "peephole")
