"""Measuring one point well."""
