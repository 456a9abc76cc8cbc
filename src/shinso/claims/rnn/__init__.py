"""Claims of the chapter on recurrent networks."""
