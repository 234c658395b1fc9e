"""Defines imports, batches and pipelines by product. Pure domain: no service, no pixels, no environment.

rows      the rows of an import, and their errors
configs   the pipeline of a SKU or of a product group
batches   jobs that are processed together, and their progress
messages  the messages of imports and batches
"""
