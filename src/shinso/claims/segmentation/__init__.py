"""Claims of the chapter on segmentation."""

ORDER = ("upsampling", "skips", "dilation")
