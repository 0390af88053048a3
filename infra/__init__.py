"""What is provisioned: settings, names, the server's definition and one package per target."""
