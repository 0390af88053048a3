"""The platform on AWS: a file for each thing a reader searches for; `aws_platform` joins them."""
