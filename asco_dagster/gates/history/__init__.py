"""History of quality: what each gate found and what each key figure was, run after run and wave after wave.

``store`` keeps it, ``page`` renders it among the wave's quality pages, ``chart`` draws it. It is kept beside
the wave's database, which each run rewrites, and never in a release, which must not know how often it was
made.
"""
