"""What the input is made of: splitting, packing, data sets."""
