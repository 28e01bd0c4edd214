#!/usr/bin/python3
"""ffmpeg's CUDA filters: the same frames remotely and directly on the software device, and frames that
hardly differ from those of the filters of the same names for the CPU (docs/programs.md says why they do)."""
import pathlib
import shutil
import subprocess
import tempfile

import common
from run_program import MODES, run, run_modes

SOURCE = "testsrc2=size=320x180:rate=5:duration=1"
SMALL = "testsrc=size=96x64:rate=5:duration=1"
QUIET = ["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
DEVICE = ["-init_hw_device", "cuda=cu:0", "-filter_hw_device", "cu"]


def there_and_back(filters, form="yuv420p", back=None):
    return f"format={form},hwupload_cuda{filters},hwdownload,format={back or form}"


def scaled(size, algorithm):
    return there_and_back(f",scale_cuda={size}:interp_algo={algorithm}")


# name: (inputs, filters with CUDA, filters of the CPU, largest difference of a byte, mean difference)
CASES = {
    "copies": ([SOURCE], there_and_back("", "nv12"), "format=nv12", 0, 0),
    "nearest_up": ([SOURCE], scaled("640:360", "nearest"), "format=yuv420p,scale=640:360:flags=neighbor", 0, 0),
    "nearest_down": ([SOURCE], scaled("160:90", "nearest"), "format=yuv420p,scale=160:90:flags=neighbor", 0, 0),
    # Half the size: each pixel is the mean of four.
    "bilinear_down": ([SOURCE], scaled("160:90", "bilinear"), "format=yuv420p,scale=160:90:flags=area", 0, 0),
    "bicubic_up": ([SOURCE], scaled("480:270", "bicubic"),
                   "format=yuv420p,scale=480:270:flags=bicubic+accurate_rnd:param0=0:param1=0.6", 1, 0.3),
    # Lanczos rings at hard edges, and the two clip their sums at different places.
    "lanczos_up": ([SOURCE], scaled("480:270", "lanczos"),
                   "format=yuv420p,scale=480:270:flags=lanczos+accurate_rnd:param0=2", 255, 0.4),
    "ten_bits": ([SOURCE], there_and_back(",scale_cuda=format=nv12", "p010le", "nv12"), "format=p010le,format=nv12", 1, 0.4),
    # The frame's edges are treated differently.
    "yadif": ([SOURCE], there_and_back(",yadif_cuda"), "format=yuv420p,yadif", 255, 0.05),
    "yadif_fields": ([SOURCE], there_and_back(",yadif_cuda=mode=send_field:parity=bff"),
                     "format=yuv420p,yadif=mode=send_field:parity=bff", 255, 0.1),
    # hwupload puts both inputs into one context; two of hwupload_cuda would make two, whose copies and
    # kernels nothing puts in order.
    "overlay": ([SOURCE, SMALL],
                "[0]format=yuv420p,hwupload[a];[1]format=yuva420p,colorchannelmixer=aa=0.5,format=yuva420p,"
                "hwupload[b];[a][b]overlay_cuda=x=32:y=48,hwdownload,format=yuv420p",
                "[0]format=yuv420p[a];[1]format=yuva420p,colorchannelmixer=aa=0.5,format=yuva420p[b];"
                "[a][b]overlay=x=32:y=48:format=yuv420,format=yuv420p", 1, 0.1),
    "thumbnail": (["testsrc2=size=320x180:rate=10:duration=2"], there_and_back(",thumbnail_cuda=5", "nv12"),
                  "format=nv12,thumbnail=5,format=nv12", 0, 0),
    # Its kernel looks between pixels; see chromakey_luma.
    "chromakey": ([SOURCE], there_and_back(",chromakey_cuda=green:0.2:0.1", "yuv420p", "yuva420p"), None, 0, 0),
}


def command(inputs, filters, output, before=()):
    sources = [word for source in inputs for word in ["-f", "lavfi", "-i", source]]
    return [*QUIET, *before, *sources, "-filter_complex", filters, *output]


def chromakey_luma(source, found, width=320, height=180):
    """chromakey_cuda samples at the corner of a pixel, which is where four of them meet, so what it writes
    is their mean; the fractions of texture hardware and of float give or take one. Returns the problems."""
    frame, problems = source[:width * height], 0
    for y in range(height):
        above = max(y - 1, 0) * width
        for x in range(width):
            left = max(x - 1, 0)
            mean = (frame[above + left] + frame[above + x] + frame[y * width + left] + frame[y * width + x]) // 4
            problems += abs(found[y * width + x] - mean) > 1
    return [f"chromakey: {problems} pixels of the first frame are not the mean of four."] if problems else []


def compare(name, found, expected, largest, mean):
    if len(found) != len(expected):
        return [f"{name}: {len(found)} bytes instead of {len(expected)}."]
    differences = [abs(a - b) for a, b in zip(found, expected)]
    seen, average = max(differences), sum(differences) / len(differences)
    print(f"{name}: {len(found)} bytes; from the CPU's filter at most {seen}, on average {average:.4f}")
    if seen > largest or average > mean:
        return [f"{name}: the bytes differ by up to {seen} and {average:.4f} on average from the CPU's filter; "
                f"{largest} and {mean} are allowed."]
    return []


def raw(words, environment, folder, limit_s):
    """The bytes that ffmpeg writes for a command without output."""
    path = pathlib.Path(folder, "raw")
    code, _, errors = run([*words, "-f", "rawvideo", str(path)], environment, limit_s)
    if code != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {code}:\n{errors}")
    return path.read_bytes()


def try_filter(name, products, folder, limit_s):
    inputs, filters, on_cpu, largest, mean = CASES[name]
    found = raw(command(inputs, filters, [], DEVICE), products.direct_environment(), folder, limit_s)
    plain = on_cpu or "format=yuv420p"
    expected = raw(command(inputs, plain, []), products.remote_environment(), folder, limit_s)
    if on_cpu is None:
        problems = chromakey_luma(expected, found)
    else:
        problems = compare(name, found, expected, largest, mean)
    checksums = command(inputs, filters, ["-f", "framemd5", "-"], DEVICE)
    results = run_modes(products, MODES, checksums, limit_s, says_pass=False)
    if results is None:
        return [*problems, f"{name} does not run as it should (see above)."]
    print(common.outboard_line(results["tcp"]))
    if name != "copies" and any(common.launches(results[mode]) == 0 for mode in MODES[1:]):
        problems.append(f"{name}: the server counted no launch.")
    return problems


def test():
    args = common.arguments(__doc__)
    if shutil.which("ffmpeg") is None:
        raise common.Missing("ffmpeg is not installed (make setup-programs).")
    known = subprocess.run(["ffmpeg", "-hide_banner", "-filters"], capture_output=True, text=True, check=True).stdout
    if "scale_cuda" not in known:
        raise common.Missing("this ffmpeg was built without CUDA filters; Debian's has them.")
    problems = []
    products = common.Products(args.build)
    with tempfile.TemporaryDirectory(prefix="outboard-test-") as folder:
        for name in CASES:
            problems += try_filter(name, products, folder, args.limit)
    return problems


common.main(test)
