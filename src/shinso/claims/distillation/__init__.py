"""Claims of the chapter on distillation."""
