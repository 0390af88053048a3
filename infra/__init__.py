"""What we provision: the platform as Pulumi resources, one package per target."""
