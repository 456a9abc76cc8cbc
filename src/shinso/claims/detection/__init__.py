"""What the course says of object detection."""
