"""What `check` looks at: a module for each part, which answers with findings.

Law of this package: everything is looked at, whatever else is wrong, and nothing is changed but the
state document that `--apply` asks for. What cannot be read is a finding too, and never a good one.
"""
