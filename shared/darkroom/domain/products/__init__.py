"""What does a catalogue ask for? Pure domain: no service, no pixels, no environment.

rows      which pictures an import asks for, and what is wrong with each row
configs   which pipeline belongs to a SKU or a product group
batches   many jobs that belong together, and how far they are
messages  what travels while rows are fetched and jobs are taken into a batch
"""
