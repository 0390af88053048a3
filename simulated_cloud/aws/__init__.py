"""A simulated AWS: the types of `pulumi_aws` that the stacks use, on a moto server."""
