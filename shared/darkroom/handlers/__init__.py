"""What does the system do when something happens? One module per occasion:

    uploads     an object was finalized: the job begins
    stages      a stage is asked for one step
    events      a stage answered: the job goes on
    operations  a person cancels, replays or reviews
    imports     rows of a catalogue become uploads
    batches     many jobs are chosen, taken, counted and cancelled
    configs     a pipeline is set for a SKU or a group
    callbacks   whoever wants to hear that a job has ended is told
    lost        a message of an import or a batch was given up
    schedule    every few minutes: the sweep
    stalled     of the sweep: jobs whose message was lost are driven again
    orphans     of the sweep: uploads without a job get one

Handlers are plain functions over `System`. They keep one order, which makes every crash harmless: write the object,
save the job, publish the follow-up. Whoever repeats a handler finds what is done, and does the rest.
"""
