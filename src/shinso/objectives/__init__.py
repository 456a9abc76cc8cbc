"""Batch and model become losses; forecasts and labels become scores."""
