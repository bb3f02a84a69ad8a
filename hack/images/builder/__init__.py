"""The builder of the project's container images, with Docker or without; the Dockerfile says what is in them.

Bottom to top: `progress` (words, commands), `inputs` (what an image is made of, and so its tag), `archive` (what was
written for clusters), `packages` and `base` (what a machine without Docker needs first), `engine` (Docker or buildah),
and `cli` on top. Standard library only, so that it runs before anything is installed.
"""
