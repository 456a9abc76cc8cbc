"""Claims of the chapter on DenseNet."""
