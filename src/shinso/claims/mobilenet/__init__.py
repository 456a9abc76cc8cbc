"""Claims of the chapter on MobileNet."""

ORDER = ("cost", "accuracy")
