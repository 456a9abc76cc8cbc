"""Claims of the chapter on WaveNet."""
