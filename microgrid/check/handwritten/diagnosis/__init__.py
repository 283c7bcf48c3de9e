"""What is the matter with a wrong gradient, and at which line.

In reading order: `world` (a layer at its inputs, and mistakes that are taken as made), `case` (a
wrong gradient, and guesses that are tried on it), `other_inputs` (to try them at), `plain_arrays`
(the labels and masks that the forward holds), `source_lines`, `rules` (a file for each kind of
guess), `rules_in_order` (a table of them), `two_mistakes`, `diagnose`, `inside` (the first wrong
gradient inside of their backward), `written_out` (both gradients as formulas).
"""
