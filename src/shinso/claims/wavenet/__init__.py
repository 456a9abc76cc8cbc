"""Claims of the chapter on WaveNet."""

ORDER = ("joint", "causal", "receptive_field", "efficiency")
