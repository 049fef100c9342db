"""A model server that keeps the hosting contract, and the ways to have one."""
