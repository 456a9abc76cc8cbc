"""One verb a file: ``HELP`` (a line) and ``run(arguments) -> exit code``; both import late.

A verb named like a Python word ends with an underscore: ``list_.py`` is ``shinso list``.
"""
