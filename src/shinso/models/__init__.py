"""Networks, one architecture a file."""
