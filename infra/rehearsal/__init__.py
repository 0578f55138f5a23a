"""A rehearsal: Pulumi's own engine runs a program against a stand-in for AWS. Nothing of it shows that AWS agrees."""
