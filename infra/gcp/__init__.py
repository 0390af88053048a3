"""The platform on Google Cloud: Cloud SQL, Cloud Storage and a Cloud Run service."""
