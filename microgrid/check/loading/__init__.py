"""Files of other people as modules: scripts that train, notebooks, parts of packages that fail.

It runs in the process of what is checked. In reading order: `errors`, `text` (the statements of a
file or of the cells of a notebook), `definitions` (those that matter when not all is run), `clock`
(none of them takes too long), `folders` (where imports are found), `absent` (what is not
installed), `modules` (all of it put together), `classes` (which class is the engine), `engines`.
"""
