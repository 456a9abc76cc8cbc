"""Claims of the chapter on MobileNet."""
