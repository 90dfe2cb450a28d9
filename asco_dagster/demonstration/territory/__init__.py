"""Compact tables of communes, EPCI and départements of 2019 and 2025, and the script that derived them."""
