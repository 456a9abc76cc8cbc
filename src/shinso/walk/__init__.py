"""The walk of the data: a recipe, a file and some settings become a run that can be used.

Everything a verb of the command line does with a run is a function here, so that Python, the
command line and the web page do the same thing.
"""
