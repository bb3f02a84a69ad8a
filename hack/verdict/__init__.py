"""Where the weights of the verdict's reading come from: `corpus` reads labelled reports, `training` learns from them,
`__main__` writes the weights and says how well they do."""
