"""The images that the platform's pods run from: Debian's Python, an environment, our code. Building runs none of it."""
