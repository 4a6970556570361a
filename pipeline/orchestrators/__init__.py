"""The pipeline for other schedulers: Airflow, Kubeflow and Vertex AI."""
