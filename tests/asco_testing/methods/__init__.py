"""The design that R's survey was run on."""
