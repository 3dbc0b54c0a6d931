"""The permission document: who may do what, as the gate enforces it."""
