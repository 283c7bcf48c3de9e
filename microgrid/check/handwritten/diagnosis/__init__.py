"""What is the matter with a wrong gradient, and at which line.

In reading order: `case` (a wrong gradient, and guesses that are tried on it), `held` (other inputs
to try them at), `source_lines`, `rules` (a file for each kind of guess), `diagnose` (the rules in
their order), `inside` (the first wrong gradient inside of their backward), `written_out` (both
gradients as formulas).
"""
