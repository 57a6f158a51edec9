"""The implementation of Tools/load-rate, which documents it."""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile

from rates import TARGET, plain_read, shards, spread, write_model


def load(command, environment):
    """Loads the model; returns loaded bytes per second."""
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.exit(2)
    report = json.loads(result.stdout)
    return report["loaded_bytes"] / report["load_seconds"]


def evict(files):
    """Evicts files from the page cache; returns whether that succeeded."""
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            size, found = os.fstat(fd).st_size, 0
            for offset in random.sample(range(0, size, 4096), min(256, -(-size // 4096))):
                try:
                    found += os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT)
                except BlockingIOError:
                    pass
            if found > 12:
                return False
        except OSError as error:
            sys.exit(f"load-rate: {path}: expected a file that can be evicted from the cache, found: {error.strerror}")
        finally:
            os.close(fd)
    return True


def compare(state, pairs, files, command, environment):
    """Measures warm or cold loads and prints a line; returns whether the load reaches the target."""
    rates = {"load": [], "kept": [], "discarded": []}
    kinds = {
        "load": lambda: load(command, environment), "kept": lambda: plain_read(files, True),
        "discarded": lambda: plain_read(files, False),
    }
    for pair in range(pairs):
        # Rotates the order of the three measurements.
        names = list(kinds)
        for name in names[pair % 3:] + names[:pair % 3]:
            if state == "warm":
                plain_read(files, False)
            elif not evict(files):
                print("cold: not measured, because the files stay in the page cache (a file system in memory?)")
                return True
            rates[name].append(kinds[name]())
    ratios = {
        name: statistics.median(a / b for a, b in zip(rates["load"], rates[name])) for name in ("kept", "discarded")}
    print(f"{state}: load {spread(rates['load'])}; plain read {spread(rates['kept'])}, ratio {ratios['kept']:.0%}; "
          f"read without keeping {spread(rates['discarded'])}, ratio {ratios['discarded']:.0%}", flush=True)
    return ratios["kept"] >= TARGET


def main():
    parser = argparse.ArgumentParser(prog="Tools/load-rate", description="Compares loading with a plain read.")
    parser.add_argument("fathom", help=argparse.SUPPRESS, nargs="?")
    parser.add_argument("--model", metavar="DIR", help="the checkpoint; default: a temporary one of 2 GB")
    parser.add_argument("--device", metavar="NAME", help="as for fathom --device")
    parser.add_argument("--pairs", metavar="N", type=int, default=5, help="number of loads and of plain reads of each kind")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error(f"--pairs: expected at least 1, found {options.pairs}")
    # Exits normally on SIGTERM, so that the temporary files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as work:
        model = options.model
        if model is None:
            model = os.path.join(work, "model")
            os.mkdir(model)
            write_model(model)
        files = shards(model)
        if not files:
            parser.error(f"--model {model}: expected .safetensors files, found none")
        command = [options.fathom, "bench", "--json", "--prompt", "1", "--generate", "1", "--repeats", "1",
                   "--model", model]
        if options.device:
            command += ["--device", options.device]
        environment = {**os.environ, "XDG_CACHE_HOME": os.path.join(work, "cache")}
        # The first start, which compiles kernels, is not measured.
        load(command, environment)
        results = [compare(state, options.pairs, files, command, environment) for state in ("warm", "cold")]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
