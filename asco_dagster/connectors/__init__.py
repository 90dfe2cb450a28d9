"""How a delivery reaches this machine: from the inbox, or downloaded whole from an address."""
