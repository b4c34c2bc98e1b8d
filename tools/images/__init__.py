"""The images that the platform's pods run from: Debian's Python, an environment, and our code; nothing is run to build
them, so that any of buildah, podman and docker can.
"""
