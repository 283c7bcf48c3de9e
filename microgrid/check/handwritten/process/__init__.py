"""The process in which layers are checked: it may hang or die, and the check goes on.

In reading order: `job` (what is to be checked), `serialization`, `namespaces` (what they replaced
is put back), `checking` (the layers of a job, whose file `microgrid.check.loading` makes a module),
`worker` (in the process), `launch` (outside of it).
"""
