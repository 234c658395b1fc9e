"""What does the system do when something happens? One module per occasion:

    uploads     an object was finalized: the job begins
    stages      a stage is asked for one step
    events      a stage answered: the job goes on
    operations  a person cancels, replays or reviews
    schedule    every few minutes: what stood still is driven again, what expired is purged

Handlers are plain functions over `System`. They keep one order, which makes every crash harmless: write the object,
save the job, publish the follow-up. Whoever repeats a handler finds what is done, and does the rest.
"""
