"""Structures whose atoms are coloured by how wrong their forces may be."""
