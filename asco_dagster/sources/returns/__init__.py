"""What the sampled units sent back: workbooks in folders and archives, and exports of the web questionnaire.

``assets`` brings the deliveries within reach, ``reading`` reads them into answers, ``quarantine`` keeps
the reasons of those refused.
"""
