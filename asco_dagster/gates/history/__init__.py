"""History of quality: what each gate found and what each key figure was, run after run and wave after wave.

``store`` keeps it, ``told`` shows it on one of the wave's quality pages, ``chart`` draws it.
It stands beside the wave's database, which each run writes anew, and never in a release, which must not know
how often it was made. What does not belong here: judging (``gates.validation``) and what figures say
(``publication.quality_report``).
"""
