"""What is generated of the chart: `make manifests` writes the table of values and their descriptions in the schema."""
