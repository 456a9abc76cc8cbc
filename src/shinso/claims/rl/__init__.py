"""Claims on reinforcement learning."""
