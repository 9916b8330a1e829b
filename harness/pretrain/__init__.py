"""Makes the tiny CLIP that ships with the package."""
