"""Jobs on a photo library: what is there twice, what belongs together, what a photo shows.

Nothing here deletes, moves or overwrites a picture. Every job works on the photos that are on the disk at that moment.
In reading order:

present          which photos a job may work on
duplicates       exact and near copies, and which of them to keep
groups           photos that look alike (spherical k-means); `group_names` finds phrases for them
labelling        zero-shot labels; `label_writing` puts them into tags, side-cars or a CSV, `label_removal` takes them
                 back; `sidecars` are the files, `xmp` is their content
sorting          copies or links in a folder for each label
space_map        a library's embeddings on a plane, with the names of its groups; `map_files` keeps its pictures
concepts         flags pictures that show a concept
sources          which pairs of a training set are worth keeping
"""
