"""What is on the disk, and how does it come into a library? In reading order:

`walk` (the picture files below some folders), `exclusions` (what the walk leaves out), `changes_on_disk` (the disk
compared with the records), `photo_facts` and `embedded_words` (what a file says of itself), `captions` (texts and
tables beside pictures), `file_picture` (one file, read and decoded once), `indexing` (all of it, committed in chunks),
`reembedding` (the same pictures, another model), `watching` (folders while they change), `present` (is a photo on the
disk at this moment?) and `same_file` (may two names lead to one file?).
"""
