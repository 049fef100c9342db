"""How the container behaves where it was not measured."""
