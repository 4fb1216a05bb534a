"""What racedyn is held against, a file each: solvers of `races`, loops of descent (`steps`)."""
