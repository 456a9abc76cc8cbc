"""Monte Carlo tree search.

``tree`` is the plain form over any ``games.game.Game`` and any ``evaluator.Evaluator``, to be read;
``go_tree_numba`` and its neighbours are the same search compiled for Go, over many games at once.
Nothing here knows torch: a network comes as an evaluator.
"""
