"""The ports over Cloud Storage, Firestore and Pub/Sub."""
