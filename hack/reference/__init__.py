"""The pages of docs/ that are generated from code: the fields of a Councilor, the settings, and clock changes."""
