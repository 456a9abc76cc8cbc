"""A run as a service, and the page that shows runs, claims and lessons in a browser.

FastAPI and pydantic are imported here alone (extra ``serve``); the top of ``settings`` imports
nothing heavy, since flags are made of it.
"""
