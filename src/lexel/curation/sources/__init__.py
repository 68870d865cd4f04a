"""Jobs on a training set: how well its texts fit its pictures, and which pairs are worth keeping.

Nothing here changes the source. In reading order:

alignment        how well each text fits its picture, by a model
semantic         pictures that show the same thing, by their embeddings
text_pattern     captions that a regular expression finds, within a time
balance          frequent labels, words or entries kept only so often
rules            what a filter is asked for
filtering        which pairs stay, and why each of the others goes
writing          what stays as a table that points at the original files, or as shards; with a record of what went
inspection       an audit, and what a model adds to it; `inspection_page` shows it
"""
