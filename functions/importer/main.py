"""Speaks with other people's servers: fetches the pictures of an import, and tells who wants to hear of a job."""

import functions_framework

from darkroom.importer import entrypoint

on_import = functions_framework.cloud_event(entrypoint.on_import)
on_callback = functions_framework.cloud_event(entrypoint.on_callback)
