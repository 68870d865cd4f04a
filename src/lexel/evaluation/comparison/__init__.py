"""Is one model really better than another?

In reading order: `compare` (paired differences with interval and verdict), `page` (HTML and Markdown).
"""
