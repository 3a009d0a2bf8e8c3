"""Figures as Markdown."""

import math


def table(header, rows, left=1):
    """The first `left` columns are text, the others numbers."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * left + " ---: |" * (len(header) - left)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ratio(value, base):
    return f"{value / base:.2f}" if base else "–"


def ratios(figures, key, bases):
    """[{name: ratio text}]: of each row to each of the `bases` that was measured."""
    return {name: [ratio(of[key], figures[base][key]) for base in bases if base in figures]
            for name, of in figures.items()}


def spread(values, digits):
    return f"{min(values):.{digits}f}–{max(values):.{digits}f}"


def percentile(values, fraction):
    """The nearest-rank percentile."""
    return sorted(values)[math.ceil(fraction * len(values)) - 1]
