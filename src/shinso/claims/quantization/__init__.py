"""Claims of the chapter on quantization."""
