"""Claims of the chapter on long short-term memory."""
