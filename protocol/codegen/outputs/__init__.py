"""One module per kind of generated file. Each offers files(model): path below the output folder -> text."""
