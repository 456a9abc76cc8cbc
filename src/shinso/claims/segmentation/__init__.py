"""Claims of the chapter on segmentation."""
