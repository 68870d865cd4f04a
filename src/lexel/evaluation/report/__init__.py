"""How are measurements shown?

In reading order: `sections` (what a task writes), `report` (report.json and its pictures), `phrases` (numbers in
words), `caveats`, `overlap` and `drawn_scenes` (what to know before believing a number), `gallery` (which
examples are shown), `charts` and `page` (the HTML page).
"""
