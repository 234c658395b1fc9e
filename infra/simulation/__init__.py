"""Simulates the time, the bottleneck and the cost of fifty thousand and five million pictures.

`python -m infra.simulation` plays the path of the pictures event by event, prints the tables of docs/cost.md and draws
its picture. `python -m infra.simulation.measure` measures the seconds that it reckons with.
"""
