"""Claims of the course on data parallelism."""
