"""Google Cloud's parts on the laptop: the function, Cloud Storage, gcloud."""
