"""What the components of the platform on AWS declare."""
