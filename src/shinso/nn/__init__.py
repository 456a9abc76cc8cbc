"""Layers, one equation per class: recurrent cells and sequence layers, and their derivatives."""

from shinso.nn.cells import ElmanCell, GRUCell, LSTMCell, LSTMSwitches
from shinso.nn.recurrent import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "ElmanCell",
    "GRUCell",
    "LSTMCell",
    "LSTMSwitches",
]
