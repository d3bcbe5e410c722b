"""What is measured: one module per part, each with a `measure(bench)`."""
