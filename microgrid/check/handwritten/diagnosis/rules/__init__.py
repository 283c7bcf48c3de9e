"""What can be the matter with a gradient: each rule guesses, and a guess that holds is told.

A rule takes a Case and gives guesses; `Case.holds` runs each against three draws, one of them at
other inputs, so that no coincidence of numbers is told.
"""
