"""A model that knows colours, and a library of coloured pictures."""

from colours_served import coloured_folder, colours  # noqa: F401 - fixtures
