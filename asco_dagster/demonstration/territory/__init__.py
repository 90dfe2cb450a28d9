"""The territory that demonstration deliveries are made of: communes, EPCI and départements of 2019 and 2025.

Belongs here: the compact tables and the script that derived them. Does not belong here: what a wave makes of
them (``frame``).
"""
