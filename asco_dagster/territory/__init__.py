"""What communes and intermunicipal bodies are: their codes, their legal forms, their geographies in time."""
