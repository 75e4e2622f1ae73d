"""Watching a fleet from outside: rules and dashboard for Prometheus and Grafana, and a report of a day's logs."""
