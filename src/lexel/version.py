"""The version of Lexel, apart from the package's names so that any module may say it."""

__version__ = "0.1.0"
