"""Handles the events of the system, in one module for each kind:

    uploads       an object was finalized: its job begins
    stages        a stage serves the request of one step
    events        a stage answered: the job continues
    job_commands  a person cancels, replays, reworks or reviews a job
    imports       the rows of an import become uploads
    batches       many jobs are chosen, processed, counted and cancelled
    configs       a pipeline is set for a SKU or a product group
    webhooks      the end of a job is reported to a URL
    dead_letters  a message was given up after its last delivery
    schedule      the sweep, every few minutes
    stalled       part of the sweep: jobs whose message was lost are published again
    orphans       part of the sweep: uploads without a job get one

Handlers are plain functions over `System`. All use the same order of writes, so that a crash at any point does no harm:
write the object, save the job, publish the next message. A handler that runs again finds what is done and does the
rest.
"""
