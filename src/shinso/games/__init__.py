"""Rules without learning: Go and tic-tac-toe, game records (SGF), the text protocol (GTP).

Nothing here knows torch. ``game.Game`` is what a search asks of a game, ``go_board_numba`` is where
the layout of a Go board is explained.
"""
