"""Saved estimators are loaded whole or refused, whatever a forged file holds."""

from functools import cache
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from ltau import LTAUEstimator, LTAUFileError
from ltau._files import archive
from ltau.log import ErrorLog

RNG = np.random.default_rng(0)
LATENTS = RNG.normal(size=(300, 4))
ERRORS = RNG.lognormal(size=(300, 7)) * np.exp(LATENTS[:, :1])
QUERIES = RNG.normal(size=(20, 4))
KINDS = ["flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq", "prototypes"]


@cache
def fit(kind):
    how = {"n_prototypes": "auto"} if kind == "prototypes" else {"index": kind}
    estimator = LTAUEstimator(5, **how, scaling="whiten", n_bins=20, random_state=0, n_jobs=1).fit(
        LATENTS, ERRORS
    )
    estimator.ood_score(QUERIES)  # so that the training samples' own distances are saved too
    return estimator


@cache
def saved(kind):
    """Header and arrays of the file of an estimator."""
    with TemporaryDirectory() as folder:
        fit(kind).save(f"{folder}/model.ltau")
        return archive.read(f"{folder}/model.ltau")


def predictions(estimator, strata=None):
    distances, rows = estimator.kneighbors(QUERIES, strata=strata)
    return [
        distances,
        rows,
        estimator.predict(QUERIES, strata),
        estimator.predict_pdf(QUERIES, strata),
        estimator.predict_quantile(QUERIES, [0.5, 0.9], strata),
        estimator.ood_score(QUERIES, strata),
        estimator.ood_threshold(),
    ]


def same_bits(estimator, other, strata=None):
    pairs = zip(predictions(estimator, strata), predictions(other, strata), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def forge(path, content, changes, header_changes=None):
    """Write what a file held with changes, and valid checksums; None takes an array out."""
    header, arrays = content
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    archive.write(path, header | (header_changes or {}), arrays)


def is_loaded(path):
    try:
        LTAUEstimator.load(path)
    except LTAUFileError:
        return False
    return True


def test_a_loaded_estimator_predicts_the_same_bits(kind, path):
    fitted = fit(kind)
    fitted.save(path)
    loaded = LTAUEstimator.load(path)
    assert same_bits(fitted, loaded)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.index_ == fitted.index_
    assert loaded.recall_ == fitted.recall_
    assert loaded.n_samples_fit_ == 300
    assert loaded.n_features_in_ == 4
    np.testing.assert_array_equal(loaded.bin_edges_, fitted.bin_edges_)
    assert loaded.n_prototypes_ == fitted.n_prototypes_
    assert loaded.prototype_losses_ == fitted.prototype_losses_
    second = path.with_name("second")
    loaded.save(second)
    assert second.read_bytes() == path.read_bytes()


def test_weights_of_the_training_samples_come_back(path):
    fit("flat").save(path)
    weight = LTAUEstimator.load(path).sample_weight()
    np.testing.assert_array_equal(weight, fit("flat").sample_weight())


def test_a_file_of_prototypes_is_as_small_as_they_are(path):
    fit("flat").save(path)
    whole = path.stat().st_size
    LTAUEstimator(5, n_prototypes=20, n_bins=20).fit(LATENTS, ERRORS).save(path)
    arrays = archive.read(path)[1]
    sized = {name for name, array in arrays.items() if array.shape[:1] == (300,)}
    assert sized == {"members.scores"}  # no more than 20,000 of them
    assert path.stat().st_size < whole / 2


def test_a_mapped_estimator_predicts_the_same_bits(kind, path):
    fit(kind).save(path)
    mapped = LTAUEstimator.load(path, mmap=True)
    assert same_bits(fit(kind), mapped)
    fit("flat").save(path)  # replaces the file, and leaves what is mapped
    assert same_bits(fit(kind), mapped)
    second = path.with_name("second")
    mapped.save(second)
    assert same_bits(fit(kind), LTAUEstimator.load(second))


def test_what_was_measured_comes_back(path):
    latents = np.random.default_rng(0).normal(size=(2500, 3))
    estimator = LTAUEstimator(random_state=0).fit(latents, np.ones((2500, 2)))
    assert [record["kind"] for record in estimator.index_report_][:2] == ["flat", "ivf"]
    assert [r["kind"] for r in estimator.index_report_ if r["chosen"]] == [estimator.index_]
    estimator.save(path)
    assert LTAUEstimator.load(path).index_report_ == estimator.index_report_


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
@pytest.mark.parametrize("strata", [np.array(["C", "H", "O"]), np.array([1, 6, 8])])
def test_strata_and_scalings_come_back(path, scaling, strata):
    estimator = LTAUEstimator(scaling=scaling, weights="distance").fit(
        LATENTS, ERRORS, strata=np.resize(strata, 300)
    )
    asked = np.resize(strata[::-1], len(QUERIES))
    estimator.save(path)  # before the own distances are known
    assert same_bits(estimator, LTAUEstimator.load(path), asked)
    assert LTAUEstimator.load(path).strata_.tolist() == strata.tolist()


@pytest.mark.parametrize(
    "bins",
    [
        "linear",
        np.linspace(0, 1e4, 5),
        (0.0, 1.0, 1e4),
        [np.float32(0), np.float32(1e4)],
        list(np.arange(0, 10_001, 2_000)),
    ],
    ids=["word", "array", "tuple", "float32", "int64"],
)
def test_bins_of_any_array_like_come_back(path, bins):
    estimator = LTAUEstimator(bins=bins).fit(LATENTS, ERRORS)
    estimator.save(path)
    assert same_bits(estimator, LTAUEstimator.load(path))


def test_feature_names_come_back(path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(LATENTS, columns=["a", "b", "Δ", "d"])
    estimator = LTAUEstimator().fit(frame, ERRORS)
    estimator.save(path)
    loaded = LTAUEstimator.load(path)
    assert loaded.feature_names_in_.tolist() == ["a", "b", "Δ", "d"]
    np.testing.assert_array_equal(loaded.predict(frame), estimator.predict(frame))


def test_an_unfitted_estimator_is_not_saved(path):
    with pytest.raises(NotFittedError):
        LTAUEstimator().save(path)
    assert not path.exists()


@pytest.mark.parametrize(
    "header",
    [
        {"estimator": "SomethingElse"},
        {"estimator": None},
        {"params": None},
        {"params": []},
        {"params": {"n_neighbors": 0}},
        {"params": {"n_neighbors": "5"}},
        {"params": {"scaling": "cubic"}},
        {"params": {"no_such_parameter": 1}},
        {"index_report": None},
        {"index_report": {"kind": "flat"}},
        {"index_report": ["flat"]},
        {"errors": None},
        {"errors": {"target": 3}},
        {"errors": {"unit": ["eV"]}},
        {"errors": {"notes": "none"}},
        {"errors": {"source": "a log"}},
    ],
    ids=str,
)
def test_a_header_of_no_estimator_is_refused(path, header):
    forge(path, saved("flat"), {}, header)
    with pytest.raises(LTAUFileError, match="does not hold a whole estimator"):
        LTAUEstimator.load(path)


def test_a_file_of_something_else_is_refused(path):
    archive.write(path, {}, {})
    with pytest.raises(LTAUFileError, match="does not hold a whole estimator"):
        LTAUEstimator.load(path)


def test_a_missing_array_is_refused(kind, path):
    loaded = []
    for name in saved(kind)[1]:
        forge(path, saved(kind), {name: None})
        if is_loaded(path):
            loaded.append(name)
    assert loaded == []


DEFORMATIONS = {
    "float64": lambda array: array if array.dtype.kind == "U" else array.astype(np.float64),
    "text": lambda array: array.astype(str),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "no row": lambda array: array[:0],
    "first row missing": lambda array: array[1:],
    "last row missing": lambda array: array[:-1],
    "last row twice": lambda array: np.concatenate([array, array[-1:]]),
    "one axis more": lambda array: array[None],
    "one column of all": lambda array: array[:, None],
    "its first value": lambda array: array.reshape(-1)[0],
    "flat": lambda array: array.reshape(-1),
    "transposed": lambda array: array.T,
}


@pytest.mark.parametrize("deform", DEFORMATIONS.values(), ids=DEFORMATIONS)
def test_other_shapes_and_types_are_refused_or_make_no_difference(kind, path, deform):
    for name, array in saved(kind)[1].items():
        if array.ndim == 0:
            continue
        change = np.asarray(deform(array))
        if (change.shape, change.dtype) == (array.shape, array.dtype):
            continue  # a square matrix transposed is another matrix, and as good as the first
        if name == "members.scores" and change.shape == (len(array) - 1,):
            continue  # and fewer scores another threshold
        forge(path, saved(kind), {name: change})
        try:
            loaded = LTAUEstimator.load(path)
        except LTAUFileError:
            continue
        assert same_bits(loaded, fit(kind)), name


MAY_BE_INFINITE = {
    "own.values",  # between latents so far apart that their squared distance overflows
    "members.scores",  # beside duplicates
}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(kind, path, value):
    loaded = []
    for name, array in saved(kind)[1].items():
        if array.dtype.kind == "U" or name.endswith("recall"):
            continue
        if name in MAY_BE_INFINITE and value == np.inf:
            continue
        change = array.astype(array.dtype if array.dtype.kind == "f" else np.float64)
        change.flat[-1] = value
        forge(path, saved(kind), {name: change})
        if is_loaded(path):
            loaded.append(name)
    assert loaded == []


def with_value(array, place, value):
    array = array.copy()
    array.flat[place] = value
    return array


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("flat", "densities.cumulative", lambda a: -a.astype(np.int64)),
        ("flat", "densities.cumulative", lambda a: a.astype(np.float64)),
        ("flat", "densities.cumulative", lambda a: a[:, ::-1]),
        ("flat", "densities.cumulative", lambda a: a * (np.arange(300) != 7)[:, None]),
        ("flat", "densities.edges", lambda a: a[::-1]),
        ("flat", "densities.edges", lambda a: with_value(a, 3, a[2])),
        ("flat", "latents.0.kind", lambda a: np.array("annoy")),
        ("flat", "latents.0.kind", lambda a: np.array("ivf")),
        ("flat", "latents.0.rows", lambda a: a + 1),
        ("flat", "latents.0.rows", lambda a: a - 1),
        ("flat", "latents.0.rows", lambda a: with_value(a, 0, a[1])),
        ("flat", "latents.0.rows", lambda a: with_value(a, 0, 2**62)),
        ("flat", "own.values", lambda a: -a),
        ("prototypes", "members.n_samples", lambda a: np.array(-1)),
        ("prototypes", "members.n_samples", lambda a: a - 1),  # fewer than there are scores
        ("prototypes", "members.n_samples", lambda a: np.array([300])),
        ("prototypes", "members.scores", lambda a: a[::-1]),
        ("prototypes", "members.scores", lambda a: -a[::-1]),
        ("prototypes", "members.scores", lambda a: a.astype(np.float64)),
        ("prototypes", "own.n_neighbors", lambda a: np.array(0)),
        ("prototypes", "prototypes.losses", lambda a: a - 2),
        ("prototypes", "prototypes.losses", lambda a: a[1:]),
        ("prototypes", "prototypes.numbers", lambda a: a.astype(np.float64)),
        ("prototypes", "prototypes.numbers", lambda a: -a),
        ("ivf", "latents.0.index.rows", lambda a: with_value(a, 5, -1)),
        ("ivf", "latents.0.index.rows", lambda a: with_value(a, 5, 300)),
        ("ivf", "latents.0.index.rows", lambda a: with_value(a, 5, a[6])),
        ("ivf", "latents.0.index.rows", lambda a: a.astype(np.int32)),
        ("ivf", "latents.0.index.sizes", lambda a: with_value(a, 0, a[0] + 1)),
        (
            "ivf",
            "latents.0.index.sizes",
            lambda a: with_value(with_value(a, 0, -1), 1, a[:2].sum() + 1),
        ),
        ("ivf", "latents.0.index.sizes", lambda a: with_value(a, 0, 2**62)),
        ("ivf", "latents.0.index.centroids", lambda a: a[:1]),
        ("ivf", "latents.0.index.centroids", lambda a: a[:, :2]),
        ("ivf", "latents.0.index.effort", lambda a: np.array(0)),
        ("ivf", "latents.0.index.effort", lambda a: np.array(-1)),
        ("ivf", "latents.0.index.effort", lambda a: np.array(10**6)),
        ("ivf_sq8", "latents.0.index.codes", lambda a: a[:-1]),
        ("ivf_sq8", "latents.0.index.codes", lambda a: a[:, :-1]),
        ("ivf_sq8", "latents.0.index.codes", lambda a: a.astype(np.uint16)),
        ("ivf_sq8", "latents.0.index.codebook", lambda a: a[:-1]),
        ("ivf_sq8", "latents.0.index.n_candidates", lambda a: np.array(0)),
        ("ivf_sq8", "latents.0.index.n_candidates", lambda a: np.array(10**6)),
        ("ivf_pq", "latents.0.index.codes", lambda a: a[:-1]),
        ("ivf_pq", "latents.0.index.codebook", lambda a: np.append(a, a)),
        ("ivf_pq", "latents.0.index.effort", lambda a: np.array(0)),
        ("hnsw", "latents.0.index.links", lambda a: with_value(a, 0, 300)),
        ("hnsw", "latents.0.index.links", lambda a: with_value(a, 0, 2**31 - 1)),
        ("hnsw", "latents.0.index.links", lambda a: with_value(a, 0, -2)),
        ("hnsw", "latents.0.index.links", lambda a: a[:-1]),
        ("hnsw", "latents.0.index.links", lambda a: np.append(a, a[-1:])),
        ("hnsw", "latents.0.index.links", lambda a: a.astype(np.int64)),
        ("hnsw", "latents.0.index.levels", lambda a: with_value(a, 5, 0)),
        ("hnsw", "latents.0.index.levels", lambda a: with_value(a, 5, -1)),
        ("hnsw", "latents.0.index.levels", lambda a: with_value(a, 5, a[5] + 1)),
        ("hnsw", "latents.0.index.levels", lambda a: with_value(a, 5, 100)),
        ("hnsw", "latents.0.index.levels", lambda a: np.ones_like(a)),
        ("hnsw", "latents.0.index.entry", lambda a: np.array(-1)),
        ("hnsw", "latents.0.index.entry", lambda a: np.array(300)),
        ("hnsw", "latents.0.index.entry", lambda a: np.array(2**62)),
        ("hnsw", "latents.0.index.effort", lambda a: np.array(0)),
        ("hnsw", "latents.0.index.effort", lambda a: np.array(10**6)),
    ],
)
def test_values_out_of_range_are_refused(path, kind, name, change):
    array = saved(kind)[1][name]
    forge(path, saved(kind), {name: np.asarray(change(array))})
    with pytest.raises(LTAUFileError, match="does not hold a whole estimator"):
        LTAUEstimator.load(path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("merged.owners", lambda a: np.where(a == 1, 0, a)),
        ("merged.owners", lambda a: with_value(a, 0, -1)),
        ("merged.owners", lambda a: with_value(a, 0, 2**62)),
        ("merged.cumulative", lambda a: a + np.uint8(1)),
        ("latents.0.n_samples", lambda a: a + 1),
        ("latents.0.floor", lambda a: np.array(1e9)),
        ("own.floors", lambda a: a * 0),
        ("own.floors", lambda a: a * 1e9),
        ("own.values", lambda a: a * 0),
    ],
)
def test_what_does_not_fit_samples_of_one_place_is_refused(path, name, change):
    strata = np.repeat([0, 1], [100, 200])
    places = np.concatenate([np.arange(100) // 2, 50 + np.arange(200) // 4])
    LTAUEstimator(5, n_bins=20).fit(LATENTS[places], ERRORS, strata).save(path)
    header, arrays = archive.read(path)
    forge(path, (header, arrays), {name: np.asarray(change(arrays[name]))})
    with pytest.raises(LTAUFileError, match="does not hold a whole estimator"):
        LTAUEstimator.load(path)


def test_an_entry_below_the_highest_level_is_refused(path):
    # faiss would begin at its links on the highest level, where it has none.
    levels = saved("hnsw")[1]["latents.0.index.levels"]
    assert levels.min() < levels.max()
    forge(path, saved("hnsw"), {"latents.0.index.entry": np.array(levels.argmin())})
    with pytest.raises(LTAUFileError, match="HNSW"):
        LTAUEstimator.load(path)


def test_a_link_to_a_vector_that_is_not_on_the_level_is_refused(path):
    # faiss would read the links of that vector on that level: beyond the end of its own.
    arrays = saved("hnsw")[1]
    levels, links = arrays["latents.0.index.levels"], arrays["latents.0.index.links"].copy()
    high, low = np.argmax(levels > 1), np.argmin(levels)
    assert levels[low] == 1 < levels[high]
    ends = np.cumsum(64 + 32 * (levels - 1))  # so many links of each vector, on the lowest level
    links[ends[high] - 1] = low  # the last link of its highest level
    forge(path, saved("hnsw"), {"latents.0.index.links": links})
    with pytest.raises(LTAUFileError, match="HNSW"):
        LTAUEstimator.load(path)


def test_vectors_without_width_are_refused(path, kind):
    changes = {
        "latents.0.index.vectors": np.empty((300, 0), np.float32),
        "latents.0.scaler.mean": np.empty(0),
        "latents.0.scaler.matrix": np.empty((0, 0)),
    }
    if "ivf" in kind:
        changes["latents.0.index.centroids"] = np.empty((1, 0), np.float32)
        changes["latents.0.index.sizes"] = np.array([300])
    forge(path, saved(kind), changes)
    with pytest.raises(LTAUFileError):
        LTAUEstimator.load(path)


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["O", "H", "C"]),  # not sorted: a search by bisection would mix them up
        np.array(["C", "C", "O"]),
        np.array(["C", "H"]),
        np.array(["C", "H", "N", "O"]),
        np.array([["C", "H", "O"]]),
        np.array([1.0, np.nan, 2.0]),
        np.array("C"),
        np.array([], "U1"),
        None,
    ],
    ids=repr,
)
def test_strata_that_do_not_fit_are_refused(path, classes):
    estimator = LTAUEstimator().fit(LATENTS, ERRORS, strata=np.resize(["C", "H", "O"], 300))
    estimator.save(path)
    forge(path, archive.read(path), {"latents.classes": classes})
    with pytest.raises(LTAUFileError):
        LTAUEstimator.load(path)


@pytest.mark.parametrize(
    "names", [np.array(["a", "b", "c"]), np.array([["a", "b", "c", "d"]]), np.arange(4)], ids=repr
)
def test_feature_names_that_do_not_fit_are_refused(path, names):
    forge(path, saved("flat"), {"feature_names": names})
    with pytest.raises(LTAUFileError):
        LTAUEstimator.load(path)


def test_what_a_log_says_of_its_errors_comes_back(path, tmp_path):
    rng = np.random.default_rng(0)
    notes = {"model": "a2f", "seeds": [1, 2], "rate": 0.1}
    with ErrorLog(tmp_path / "log", 40, unit="eV/Å", target="forces", notes=notes) as log:
        log.record(np.arange(40), rng.random(40))
        log.end_epoch()
    estimator = LTAUEstimator().fit(rng.random((40, 3)), log)
    estimator.notes_["probe"] = {"latents": [[0.1, 0.2]]}
    estimator.save(path)
    loaded = LTAUEstimator.load(path)
    assert (loaded.target_, loaded.unit_) == ("forces", "eV/Å")
    assert loaded.notes_ == notes | {"probe": {"latents": [[0.1, 0.2]]}}
    array = LTAUEstimator().fit(rng.random((40, 3)), log[:])
    assert (array.target_, array.unit_, array.notes_) == (None, None, {})
