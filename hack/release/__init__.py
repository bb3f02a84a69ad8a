"""What a release consists of: images, chart, packages, CRD, lists of parts, checksums, in one folder."""
