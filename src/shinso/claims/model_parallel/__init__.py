"""Claims of the course on model parallelism."""
