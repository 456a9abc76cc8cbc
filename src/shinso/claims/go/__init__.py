"""Claims of the chapter on AlphaGo and AlphaGo Zero."""
