"""How long do fifty thousand and five million pictures take, where does it jam, and what does it cost?

`python -m infra.simulation` plays the path of the pictures event by event, prints the tables of docs/cost.md and draws
its picture. `python -m infra.simulation.measure` measures the seconds that it reckons with.
"""
