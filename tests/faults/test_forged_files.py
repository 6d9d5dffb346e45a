"""Attacks by model files: each ends soon, takes little memory, and is refused or loaded whole."""

import contextlib
import sys

import numpy as np
import pytest

from .forging import KINDS, contents, entries, npy_of, pack
from .limited import load_all, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")

SPARE = 64 << 20  # bytes that loading may take beside 4 times the file
SECONDS = 60  # for 20 MB: a limit against what is not linear, not a measurement


def header_with(content, **changes):
    return content[0] | changes


def many_groups(folder, path):
    """As many calibration groups as a file of 20 MB has room for."""
    header, arrays = contents("flat", folder)
    n = 1_000_000
    learnt = {"calibration.scores": np.ones(n), "calibration.sizes": np.ones(n, int)}
    learnt["calibration.groups"] = np.arange(n, dtype=np.int32)
    return pack(path, header, arrays | learnt)


def many_strata(folder, path, n=5500):
    """An estimator of `n` strata with two samples each, in as few bytes as possible."""
    header, arrays = contents("flat", folder)
    kept = {name: a for name, a in arrays.items() if name.startswith("densities")}
    kept["densities.cumulative"] = np.ones((2 * n, 20), np.uint8)
    kept["latents.classes"] = np.arange(n)
    for number in range(n):
        kept |= {
            f"latents.{number}.rows": np.array([2 * number, 2 * number + 1]),
            f"latents.{number}.kind": np.array("flat"),
            f"latents.{number}.floor": np.array(0.0),
            f"latents.{number}.n_samples": np.array(2),
            f"latents.{number}.scaler.mean": np.zeros(1),
            f"latents.{number}.scaler.matrix": np.zeros((0, 0)),
            f"latents.{number}.index.vectors": np.array([[0], [1]], np.float32),
        }
    return pack(path, header, kept)


def deep_json(folder, path):
    _, arrays = contents("flat", folder)
    return pack(path, b"[" * (20 << 20), arrays)


def wide_json(folder, path):
    _, arrays = contents("flat", folder)
    return pack(path, b"[" + b"{}," * (6 << 20) + b"0]", arrays)


def json_of_values(folder, path):
    """As many empty lists as the largest header has bytes for."""
    _, arrays = contents("flat", folder)
    return pack(path, b"[" + b"[]," * (1 << 20) + b"0]", arrays)


def a_long_string(folder, path):
    """Text that takes 4 bytes a character, because of one of them."""
    header, arrays = contents("flat", folder)
    notes = {"target": None, "unit": None, "notes": {"x": "\U0001f600" + "x" * (4_000_000)}}
    return pack(path, header | {"errors": notes}, arrays)


def many_entries(folder, path):
    return entries(path, 400_000)


def many_cells(folder, path, n=500_000):
    """A partition with a cell for each vector."""
    return pack(path, *cells(folder, n, n))


def as_many_cells_as_may_be(folder, path, n=2_000_000):
    return pack(path, *cells(folder, n, n // 24))


def cells(folder, n, n_cells):
    header, arrays = contents("ivf", folder)
    arrays = one_feature(arrays, n)
    sizes = np.zeros(n_cells, int)
    sizes[:] = n // n_cells
    sizes[0] += n - sizes.sum()
    index = {"centroids": np.zeros((n_cells, 1), np.float32), "rows": np.arange(n), "sizes": sizes}
    return header, arrays | {f"latents.0.index.{name}": array for name, array in index.items()}


def one_feature(arrays, n):
    """Turn what a file holds into `n` samples with one feature and one bin."""
    rest = "own.", "targets", "groups", "calibration.", "merged.", "members."
    kept = {name: array for name, array in arrays.items() if not name.startswith(rest)}
    return kept | {
        "densities.edges": np.array([0.0, 1.0]),
        "densities.cumulative": np.ones((n, 1), np.uint8),
        "latents.0.rows": np.arange(n),
        "latents.0.n_samples": np.array(n),
        "latents.0.scaler.mean": np.zeros(1),
        "latents.0.scaler.matrix": np.zeros((0, 0)),
        "latents.0.index.vectors": np.zeros((n, 1), np.float32),
    }


def a_graph(folder, path, n=200_000):
    """A graph whose links are most of the file."""
    header, arrays = contents("hnsw", folder)
    arrays = one_feature(arrays, n)
    graph = {"links": np.full(64 * n, -1, np.int32), "levels": np.ones(n, np.int32)}
    graph |= {"entry": np.array(0), "effort": np.array(16)}
    return pack(path, header, arrays | {f"latents.0.index.{k}": v for k, v in graph.items()})


def one_sample(folder, path, **others):
    header, arrays = contents("flat", folder)
    return pack(path, header, one_feature(arrays, 1) | others)


def many_bins(folder, path, dtype=np.float64, n=1_000_000):
    edges = np.arange(n + 1, dtype=dtype)
    cumulative = np.ones((1, n), np.uint8)
    others = {"densities.edges": edges, "densities.cumulative": cumulative}
    return one_sample(folder, path, **others)


def bins_in_few_bytes(folder, path):
    return many_bins(folder, path, np.float32)


def more_bins(folder, path):
    return many_bins(folder, path, n=5_000_000)


def many_samples(folder, path, n=3_000_000):
    """As many samples as a file has room for, each of a few bytes."""
    header, arrays = contents("flat", folder)
    owners = {"merged.owners": np.arange(n), "merged.cumulative": np.ones((n, 1), np.uint8)}
    return pack(path, header, one_feature(arrays, n) | owners)


def many_features(folder, path, n=1_000_000):
    others = {
        "latents.0.scaler.mean": np.zeros(n),
        "latents.0.index.vectors": np.zeros((1, n), np.float32),
        "feature_names": np.arange(0x20000, 0x20000 + n, dtype=np.uint32).view("<U1"),
    }
    return one_sample(folder, path, **others)


def a_wide_quantiser(folder, path):
    header, arrays = contents("ivf_pq", folder)
    n, others = 1_000_000, one_feature(arrays, 1)
    index = {
        "centroids": np.zeros((1, n), np.float32),
        "rows": np.arange(1),
        "sizes": np.ones(1, int),
    }
    others["latents.0.scaler.mean"] = np.zeros(n)
    others["latents.0.index.vectors"] = np.zeros((1, n), np.float32)
    return pack(path, header, others | {f"latents.0.index.{k}": v for k, v in index.items()})


def many_losses(folder, path):
    header, arrays = contents("prototypes", folder)
    losses = {"numbers": np.arange(1, 2_000_001, dtype=np.int32), "losses": np.zeros(2_000_000)}
    return pack(path, header, arrays | {f"prototypes.{k}": v for k, v in losses.items()})


def rows_without_numbers(folder, path):
    return one_sample(
        folder, path, **{"latents.0.index.vectors": npy_of("<f4", "(10000000000, 0)")}
    )


def an_array_of_python(folder, path):
    return one_sample(folder, path, targets=npy_of("<f8", "(" + "-" * 60_000 + "1,)"))


def places_far_away(folder, path):
    header, arrays = contents("merged", folder)
    owners = arrays["merged.owners"].copy()
    owners[0] = 2**62
    return pack(path, header, arrays | {"merged.owners": owners})


def all_mixed(folder, path):
    header, arrays = contents("flat", folder)
    return pack(path, header, arrays | {"groups": np.full_like(arrays["groups"], -1)})


REFUSED = [
    many_groups,
    deep_json,
    wide_json,
    json_of_values,
    many_entries,
    many_cells,
    bins_in_few_bytes,
    more_bins,
    many_features,
    a_wide_quantiser,
    many_losses,
    rows_without_numbers,
    an_array_of_python,
    places_far_away,
    all_mixed,
]
LOADED = [many_strata, a_long_string, as_many_cells_as_may_be, a_graph, many_bins, many_samples]


def share(result):
    """How many times the file loading took, beside what is to spare."""
    return (result["bytes"] - SPARE) / result["size"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """The file of every attack, by its name."""
    folder = tmp_path_factory.mktemp("forged")
    made = [attack(folder, folder / attack.__name__) for attack in REFUSED + LOADED]
    yield made
    for path in made:
        path.unlink()


@pytest.fixture(scope="module", params=[False, True], ids=["read", "mapped"])
def results(request, paths):
    """What loading says of each."""
    return load_all(paths, mmap=request.param, seconds=len(paths) * SECONDS)


@pytest.mark.parametrize("attack", REFUSED + LOADED, ids=lambda attack: attack.__name__)
def test_loading_takes_what_the_file_is_worth(attack, results):
    result = results[attack.__name__]
    assert share(result) <= 4, result
    assert result["seconds"] < SECONDS, result
    assert ("refused" in result) == (attack in REFUSED), result


def test_too_little_memory_is_called_that(tmp_path):
    header, arrays = contents("flat", tmp_path)
    n = 1_000_000
    large = one_feature(arrays, n) | {"latents.0.index.vectors": np.zeros((n, 64), np.float32)}
    large["latents.0.scaler.mean"] = np.zeros(64)
    path = pack(tmp_path / "large.ltau", header, large)
    code = (
        "import resource, sys\n"
        "from ltau import LTAUEstimator\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))\n"
        "try:\n"
        "    LTAUEstimator.load(sys.argv[1])\n"
        "except MemoryError as error:\n"
        "    print(error)\n"
    )
    done = run(code, path)
    assert done.returncode == 0, done.stderr
    assert f"Too little memory to load {path}, of {path.stat().st_size:,} bytes" in done.stdout


# Damage: bits flipped, ends cut, blocks zeroed or swapped. No byte of the numbers changes unseen.


def damaged(data, rng):
    """Damage a file in one of five ways."""
    data, way, size = bytearray(data), rng.integers(5), int(rng.integers(1, 512))
    one, other = sorted(rng.integers(0, len(data) - size, 2).tolist())
    if way == 0:
        data[one] ^= 1 << int(rng.integers(8))
    elif way == 1:
        del data[one:]
    elif way == 2:
        data[one : one + size] = bytes(size)
    elif way == 3:
        data[one : one + size] = rng.bytes(size)
    else:
        first, second = bytes(data[one : one + size]), bytes(data[other : other + size])
        data[one : one + size], data[other : other + size] = second, first
    return bytes(data)


# Forgery: what was read is changed, and the checksums agree.


def forged(content, rng):
    """Change values, shapes, types, names or numbers of a file that is well formed."""
    header, arrays = content[0], dict(content[1])
    for _ in range(rng.integers(1, 4)):
        name = str(rng.choice(list(arrays)))
        array = np.array(arrays[name])
        way = rng.integers(8)
        if way == 0:
            del arrays[name]
        elif way == 1:
            arrays[name] = arrays[str(rng.choice(list(arrays)))]
        elif way == 2:
            arrays[name] = array[: len(array) // 2] if array.ndim else array[None]
        elif way == 3 and array.dtype.kind != "U":
            with np.errstate(all="ignore"):
                arrays[name] = array.astype(rng.choice(["<i8", "<f4", "<u1", "<f8", "<U3", "<i4"]))
        elif way == 4:
            arrays[name] = array.reshape(-1)
        elif array.size and array.dtype.kind != "U":
            places = rng.integers(array.size, size=rng.integers(1, 4))
            extremes = [0, 1, -1, 2, 2**31 - 1, 2**62, 300, np.inf, np.nan, -0.0, 1e300]
            with np.errstate(all="ignore"), contextlib.suppress(OverflowError, ValueError):
                for place in places:
                    array.flat[place] = extremes[rng.integers(len(extremes))]
            arrays[name] = array
    return header, arrays


def attack_all(tmp_path, n_each, seconds):
    """Damage and forge files of every kind; give the results, and how often a read was wrong."""
    rng = np.random.default_rng(0)
    paths = []
    for kind in KINDS:
        content = contents(kind, tmp_path)
        whole = (tmp_path / f"{kind}.whole").read_bytes()
        paths.append(tmp_path / f"{kind}.whole")
        for number in range(n_each):
            paths.append(tmp_path / f"{kind}-{number}-damaged")
            paths[-1].write_bytes(damaged(whole, rng))
        for number in range(n_each):
            paths.append(pack(tmp_path / f"{kind}-{number}-forged", *forged(content, rng)))
    found = load_all(paths, ask=True, seconds=seconds)
    right = {kind: found.pop(f"{kind}.whole")["predicted"] for kind in KINDS}
    wrong = sum(
        result["predicted"] != right[name.split("-")[0]]
        for name, result in found.items()
        if name.endswith("damaged") and "loaded" in result
    )
    return found.values(), wrong, max(map(share, found.values()))


def test_damaged_and_forged_files(tmp_path):
    results, wrong, largest = attack_all(tmp_path, 15, SECONDS)
    assert wrong == 0
    assert largest <= 4
    assert sum("refused" in result for result in results) > len(results) / 2


@pytest.mark.long_attack
def test_thousands_of_damaged_and_forged_files(tmp_path, capsys):
    results, wrong, largest = attack_all(tmp_path, 750, 600)
    attacks = [(a, a(tmp_path, tmp_path / f"{a.__name__}.forged")) for a in REFUSED + LOADED]
    dear = [load_all([path], seconds=SECONDS)[path.name] for _, path in attacks]
    largest = max(largest, *(share(result) for result in dear))
    refused = sum("refused" in result for result in results)
    with capsys.disabled():
        print(
            f"\n{len(results)} damaged or forged files and {len(dear)} costly ones: {refused} of "
            f"the first refused, wrong reads {wrong}, hangs 0, largest (memory - 64 MiB) / file "
            f"{largest:.2f}, most memory / (4 files + 64 MiB) "
            f"{max(r['bytes'] / (4 * r['size'] + SPARE) for r in dear):.2f}"
        )
    assert wrong == 0
    assert largest <= 4
