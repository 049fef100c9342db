"""Plans, profiles and data sets as people read them."""
