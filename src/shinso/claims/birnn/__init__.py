"""Claims of the chapter on bidirectional networks."""
