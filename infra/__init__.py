"""The AWS home: Pulumi programs, their configuration, and what plans and judges them without an account."""
