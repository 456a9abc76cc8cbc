"""The one loop: schedules, precision, checkpoints, resume. It knows no model."""
