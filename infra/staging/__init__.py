"""Stages each function as a folder that can be deployed by itself.

`python -m infra.staging` makes `build/<function>/` and an archive of it for every folder under `functions/`:

    main.py            the function
    darkroom/          the modules that it can reach, with their bytecode
    darkroom/models/   the registry and the models of its stage
    requirements.txt   the packages that those modules import, and all that these need, pinned

The same input gives the same bytes, and an archive is named by its content: so Terraform deploys a function exactly
when something in it has changed.
"""
