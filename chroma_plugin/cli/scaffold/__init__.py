"""``chroma-plugin new-backend``: a package to begin with."""
