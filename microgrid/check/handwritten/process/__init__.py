"""The process in which layers are checked: it may hang or die, and the check goes on.

In reading order: `job` (what is to be checked), `serialization`, `namespaces` (what they replaced
is put back), `folders`, `absent` and `loading` (a file as a module), `checking` (the layers of a
job), `worker` (in the process), `launch` (outside of it).
"""
