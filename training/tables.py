"""Evaluation figures as Markdown tables, for the screen and for model cards."""

from typing import Any

Report = dict[str, dict[str, Any]]
"""What `training.evaluate` gives: figures by system."""

COLUMNS = {"pesq": "PESQ-wb", "stoi": "STOI", "estoi": "ESTOI", "si_sdr": "SI-SDR (dB)", "si_sdr_gain": "gain (dB)"}
DECIMALS = {"pesq": 2, "stoi": 3, "estoi": 3, "si_sdr": 1, "si_sdr_gain": 1}


def evaluation_tables(report: Report) -> str:
    """All tables that the report has figures for."""
    parts = [means(report), *(by_snr(report, name) for name in ("pesq", "estoi", "si_sdr_gain"))]
    parts += [clean(report), levels(report)]
    return "\n\n".join(part for part in parts if part)


def means(report: Report) -> str:
    """One line a system."""
    rows = [[name, *(_number(key, values["mean"][key]) for key in COLUMNS)] for name, values in report.items()]
    return table(["system", *COLUMNS.values()], rows)


def by_snr(report: Report, key: str) -> str:
    """One figure by SNR, one line a system; empty when no SNR is known."""
    snrs = list(dict.fromkeys(snr for values in report.values() for snr in values["by_snr"]))
    rows = [[name, *(_number(key, values["by_snr"][snr][key]) for snr in snrs)] for name, values in report.items()]
    return table([f"{COLUMNS[key]} at", *(f"{snr} dB" for snr in snrs)], rows) if snrs else ""


def clean(report: Report) -> str:
    """What becomes of clean speech."""
    rows = [
        [
            name,
            f"{c['pesq']:.2f}",
            f"{c['pesq_worst']:.2f}",
            f"{c['level_change']:+.2f}",
            f"{c['level_change_largest']:+.2f}",
        ]
        for name, values in report.items()
        if (c := values.get("clean"))
    ]
    head = ["clean speech in", "PESQ against input", "worst", "level change (dB)", "largest"]
    return table(head, rows) if rows else ""


def levels(report: Report) -> str:
    """PESQ by input level."""
    measured = {name: values["levels"] for name, values in report.items() if "levels" in values}
    names = list(dict.fromkeys(level for values in measured.values() for level in values))
    rows = [[name, *(f"{values[level]:.2f}" for level in names)] for name, values in measured.items()]
    return table(["PESQ-wb with the peak at", *(f"{name} dBFS" for name in names)], rows) if rows else ""


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown, with columns padded so that it reads well as it is."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _number(key: str, value: float) -> str:
    sign = "+" if key == "si_sdr_gain" else ""
    return f"{value:{sign}.{DECIMALS[key]}f}"
