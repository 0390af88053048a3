"""The package `gcp`: Google Cloud's types, kept in a file and refused in Google's words."""
