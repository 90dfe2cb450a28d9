"""One store for several machines: who owns a wave, and its inbox, database and releases on S3.

Without ``ASCO_STORE`` nothing here is used. With it a run owns its wave by a lease (``claim``), works on
its own home as ever, and everything that another worker needs lies in the store before the run counts as
done (``held``). What does not belong here: Dagster, and where things lie in a home (``places``).
"""
