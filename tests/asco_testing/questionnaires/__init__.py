"""Structure of DDI Codebook 2.5."""
