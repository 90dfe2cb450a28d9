"""Tables of broken and hostile inputs, each with the sentence that must answer it."""
