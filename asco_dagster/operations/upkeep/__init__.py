"""What an operator does to a home: back up, restore, prune, purge, rotate keys, check the machine."""
