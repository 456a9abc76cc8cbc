"""What the course says of object detection."""

ORDER = ("scales", "hard_negatives", "nms", "stages")
