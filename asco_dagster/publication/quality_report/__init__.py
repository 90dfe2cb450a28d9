"""The quality report of a wave: the indicators of the European Statistical System, and the page of them.

``indicators`` counts in the wave's database, ``page`` writes the HTML, ``drawings`` its charts and maps,
``assets`` is the step. Whatever is counted here is counted over cells that are released or over the
collection; no number of a suppressed cell may be read from it.
"""
