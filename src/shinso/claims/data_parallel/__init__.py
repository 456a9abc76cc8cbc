"""Claims of the course on data parallelism."""

ORDER = ("equal", "speed", "sync_vs_async")
