"""Property tests here are not timed: the first call of a checked function compiles its checks."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
