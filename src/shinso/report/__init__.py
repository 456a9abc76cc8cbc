"""The evidence as pages: verdicts, numbers, figures and tables, in English and Japanese.

``pages.write(folder, content)`` makes one tree a language and an ``index.html`` that chooses.
Every page is one file that needs nothing else: no request leaves it, no script runs in it. What
is on the pages is ``content.ReportContent``, plain data that others fill.
"""
