"""What does a table say? Delimited text, JSON, Parquet, Arrow and spreadsheets to pairs. In reading order:

`table` (any file as named columns), with its formats `delimited`, `json_rows`, `arrow_columns` and `spreadsheet`;
`columns` (which is the image, which the captions), with `column_names` (what people call them) and `caption_columns`
(several columns, templates); `picture_column` (the pictures that rows name); `values` (the text in one value, and what
counts as missing); `rows` (rows to pairs).
"""
