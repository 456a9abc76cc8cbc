"""What users get from trained runs, where that is too long to stand in the recipe itself."""
