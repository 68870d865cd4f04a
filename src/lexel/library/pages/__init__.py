"""HTML pages of pictures, each a single file that asks the network for nothing.

picture_page    the one writer: sections of pictures, with links, notes and marks
contact_sheet   what a search found
"""
