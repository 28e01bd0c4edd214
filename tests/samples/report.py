"""The table that run_samples.py writes."""


def totals(results):
    statuses = [row["status"] for row in results.values()]
    counts = {status: statuses.count(status) for status in ("PASS", "FAIL", "skipped")}
    tried = counts["PASS"] + counts["FAIL"]
    share = 100 * counts["PASS"] / tried if tried else 0
    return counts, tried, share


def write_report(path, results, version, date, slow_s):
    counts, tried, share = totals(results)
    lines = [
        "# NVIDIA's CUDA samples on the software device", "",
        f"Written by `tests/samples/run_samples.py` on {date}"
        + (f" from cuda-samples {version}." if version else "."),
        "Each sample was compiled by nvcc to PTX of compute_90 and run unmodified, directly on the software device.",
        "\"Its own check\" means that the sample compares its result and says so;",
        "\"exit code\" that it prints no verdict.",
        "", f"**{counts['PASS']} of {tried} that can be tried pass ({share:.0f} %)**; {counts['skipped']} are skipped.",
    ]
    for status, title in (("FAIL", "Fail"), ("PASS", "Pass"), ("skipped", "Skipped")):
        chosen = [(row["group"], name, row) for name, row in results.items() if row["status"] == status]
        if not chosen:
            continue
        lines += ["", f"## {title} ({len(chosen)})", "", "| sample | folder | seconds | why |", "|---|---|---|---|"]
        for group, name, row in sorted(chosen):
            why = row["why"].replace("|", "\\|")
            slow = " (slow)" if row["seconds"] > slow_s else ""
            seconds = f"{row['seconds']:.1f}{slow}" if row["seconds"] else ""
            lines.append(f"| {name} | {group} | {seconds} | {why} |")
    path.write_text("\n".join(lines) + "\n")
