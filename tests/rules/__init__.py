"""Alerts and dashboard of the chart: read by promtool, and compared with the metrics that there are."""
