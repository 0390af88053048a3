"""`doctor`: what is wrong with a platform, in one pass, with cause and next step.

Start reading at `check` (what a check is) and `check_list` (which there are); `runner` runs them,
`diagnosis` says which finding explains which, `bundle` packs everything for whoever is called next.
One file per group of checks.
"""
