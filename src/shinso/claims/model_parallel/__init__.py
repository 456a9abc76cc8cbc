"""Claims of the course on model parallelism."""

ORDER = ("equal", "memory", "size")
