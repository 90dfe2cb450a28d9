"""What communes and intermunicipal bodies are: their codes, their legal forms, their geographies in time.

Facts about France that readers, staging and the demonstration share. What does not belong here: any file's
layout (``sources/readers``), any table of a wave (``staging``).
"""
