"""The implementation of Tools/convert-rate, which documents it."""
import argparse
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from rates import PART, TARGET, plain_read, shards, spread, write_model

# For each kind, the source checkpoint and the arguments of fathom convert.
KINDS = {
    "bf16-fp8": ("bf16", ["--to", "fp8"]), "bf16-int8": ("bf16", ["--to", "int8"]),
    "bf16-int4": ("bf16", ["--to", "int4"]), "fp8-bf16": ("fp8", ["--to", "bf16"]),
    "bf16-2-ranks": ("bf16", ["--ranks", "2"]),
}


def byte_count(folder):
    return sum(os.path.getsize(path) for path in shards(folder))


def convert(fathom, source, target, arguments):
    """Converts; returns elapsed seconds and processor seconds."""
    shutil.rmtree(target, ignore_errors=True)
    os.sync()
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = subprocess.run(
        [fathom, "convert", source, target, *arguments], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.exit(2)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copy(source, target):
    """Copies the shards and flushes each to disk; returns elapsed seconds."""
    shutil.rmtree(target, ignore_errors=True)
    os.sync()
    part = memoryview(bytearray(PART))
    start = time.perf_counter()
    os.mkdir(target)
    for path in shards(source):
        with open(path, "rb", buffering=0) as reader, \
                open(os.path.join(target, os.path.basename(path)), "wb", buffering=0) as writer:
            while count := reader.readinto(part):
                done = 0
                while done < count:
                    done += writer.write(part[done:count])
            os.fsync(writer.fileno())
    return time.perf_counter() - start


def compare(name, fathom, folder, pairs):
    """Measures one kind and prints a line; returns whether the conversion reaches the target."""
    kind, arguments = KINDS[name]
    source, target, copied = (os.path.join(folder, part) for part in (kind, "converted", "copied"))
    rates, processors = {"convert": [], "copy": []}, []

    def measure(which):
        plain_read(shards(source), False)
        if which == "copy":
            rates[which].append(2 * byte_count(source) / copy(source, copied))
            return
        seconds, busy = convert(fathom, source, target, arguments)
        rates[which].append((byte_count(source) + byte_count(target)) / seconds)
        processors.append(busy)

    for pair in range(pairs):
        for which in ("convert", "copy") if pair % 2 == 0 else ("copy", "convert"):
            measure(which)
    ratios = [a / b for a, b in zip(rates["convert"], rates["copy"])]
    print(f"{name}: {spread(rates['convert'])}, {statistics.median(processors):.2f} s of processor time; "
          f"copy {spread(rates['copy'])}; ratio {statistics.median(ratios):.0%} ({min(ratios):.0%} to "
          f"{max(ratios):.0%})", flush=True)
    for left in (target, copied):
        shutil.rmtree(left, ignore_errors=True)
    return statistics.median(ratios) >= TARGET


def main():
    parser = argparse.ArgumentParser(prog="Tools/convert-rate", description="Compares conversion with a plain copy.")
    parser.add_argument("fathom", help=argparse.SUPPRESS)
    parser.add_argument("kinds", metavar="KIND", nargs="*", help=f"one of {', '.join(KINDS)}; default: all")
    parser.add_argument("--pairs", metavar="N", type=int, default=5, help="number of conversions and of copies for each kind")
    parser.add_argument(
        "--in", dest="folder", metavar="DIR",
        help="folder for up to 8 GB of temporary files; default: $TMPDIR or /tmp")
    # Intermixed: kinds may follow options.
    options = parser.parse_intermixed_args()
    if options.pairs < 1:
        parser.error(f"--pairs: expected at least 1, found {options.pairs}")
    for kind in options.kinds:
        if kind not in KINDS:
            parser.error(f"{kind}: expected one of {', '.join(KINDS)}")
    if options.folder and not os.path.isdir(options.folder):
        parser.error(f"--in {options.folder}: expected a folder")
    # Exits normally on SIGTERM, so that the temporary files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bf16 = os.path.join(folder, "bf16")
        os.mkdir(bf16)
        write_model(bf16)
        kinds = options.kinds or list(KINDS)
        if any(KINDS[kind][0] == "fp8" for kind in kinds):
            convert(options.fathom, bf16, os.path.join(folder, "fp8"), ["--to", "fp8"])
        results = [compare(kind, options.fathom, folder, options.pairs) for kind in kinds]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
