"""What each command does between parsing and printing: open, call the pipeline, choose the shape of the answer."""
