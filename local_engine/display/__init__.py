"""What a person sees of a deployment; it decides nothing, it shows events."""
