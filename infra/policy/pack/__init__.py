"""The rules as a Pulumi policy pack, in an environment of its own: locks/pack.txt."""
