"""Publishes the next step of each job. Only this function reads and writes jobs and publishes stage requests."""

import functions_framework

from darkroom.runtime import functions

on_upload = functions_framework.cloud_event(functions.on_upload)
on_stage_event = functions_framework.cloud_event(functions.on_stage_event)
on_batch = functions_framework.cloud_event(functions.on_batch)
on_dead_letter = functions_framework.cloud_event(functions.on_dead_letter)
on_schedule = functions_framework.http(functions.on_schedule)
