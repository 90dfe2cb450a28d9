"""Golden sheets and returned questionnaires, whole and broken."""
