"""Batches made by acting: environments, episodes, rollouts, replay, exploration.

``environments`` opens a Gymnasium id or a ``module:Env`` of the user's own and says what its spaces
are; ``acting`` steps several copies of it, so that they can be brought back after a stop;
``episodes`` measures a policy. Everything that one meets with an environment that raises, returns
NaN or has a space that no agent here handles is a fault that names it.
"""
