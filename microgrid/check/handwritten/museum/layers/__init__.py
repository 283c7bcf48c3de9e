"""Right layers as students write them, each a file of its own: what a mistake changes a line of."""
