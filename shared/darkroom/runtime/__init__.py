"""Settings, ports and wiring: how a process of Darkroom is put together."""
