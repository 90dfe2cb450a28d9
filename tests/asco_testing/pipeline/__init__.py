"""Programs and searches that tests of whole runs share."""
