"""The verbs of the command line: a file each in ``verbs/``; its presence is its registration."""
