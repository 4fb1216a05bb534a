"""What racedyn is held against, a file for each peer: solvers of races (`races`), and loops of descent (`steps`)."""
