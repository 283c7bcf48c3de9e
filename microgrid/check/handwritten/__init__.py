"""Check anyone's layer: a backward pass written by hand, held against the exact gradient.

Their forward runs on Values, so that it is differentiated as it stands; their backward, a linear
map of the upstream gradient, is held against that entry by entry.

In reading order: `trial` (a layer ready to run, whatever its form), `forms/` (what people write,
made into trials), `forward/` (their forward on Values), `results`, then `crash`, `sides`, `shapes`,
`small_constants`, `linear` and `habits` for `examination` (the verdicts in one setting) and `judge`
(those in all), `diagnosis/` (what is the matter, and at which line), `telling`, `page` and
`report`, `process/`, `entry` (`layer` and `layers`). `museum/` has broken layers.
"""
