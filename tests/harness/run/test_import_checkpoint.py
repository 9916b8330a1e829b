"""Checkpoints of authors as runs: their embeddings, what is refused, what the record says, how it is found again."""

import json
import pickle
import shutil
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from harness.cli.main import cli
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import DataError, UsageError
from harness.inference.model import Trained
from harness.inference.transfer import evaluate_run
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.record import BACKBONE, WEIGHTS, RunFolder, all_runs
from harness.run.backbone import inherited_weights
from harness.run.import_checkpoint import import_checkpoint, released_config
from harness.run.released import expected_tensors
from harness.run.resume import resume_run
from harness.twins.marker import read_marker
from tests import authors_files, naive_cskt, naive_field
from tests.notes import Notes

pytestmark = pytest.mark.usefixtures("untracked")

TINY = BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32))
PERSONS = 20
METHODS_WITH_A_MAP = ("cskt", "dm_adapter", "irra", "tbps_clip", "up_person")
CAPTIONS = ["a woman in a red coat", "a man " + "with a bag " * 40]


@pytest.fixture(scope="module")
def clip():
    return load_clip(TINY)


@pytest.fixture(scope="module")
def states(clip):
    """Return the methods' checkpoints for the tiny CLIP."""
    return {
        "cskt": authors_files.cskt(clip),
        "dm_adapter": authors_files.dm_adapter(clip),
        "irra": authors_files.irra(clip, persons=PERSONS),
        "tbps_clip": authors_files.tbps_clip(clip),
        "up_person": authors_files.up_person(clip),
    }


@pytest.fixture
def config(twins):
    """Return a function that makes the config of a checkpoint for the tiny CLIP, on a small twin."""

    def make(method, *overrides, root=twins, presets=()):
        own = [
            "dataset.synthetic=true",
            f"dataset.root={root}",
            "train.precision=fp32",
        ]
        return released_config(method, "icfg", presets=["tiny", *presets], overrides=[*own, *overrides])

    return make


@pytest.fixture
def bring(tmp_path, config):
    """Return a function that writes a checkpoint and imports it, untested unless asked."""

    def call(method, state, *overrides, content=None, test=False, listener=None, **more):
        file = tmp_path / "best.pth"
        torch.save({"model": state, "epoch": 3} if content is None else content, file)
        options = {name: more.pop(name) for name in ("root", "presets") if name in more}
        made = config(method, *overrides, **options)
        return import_checkpoint(
            made, file, runs=tmp_path / "runs", test=test, device="cpu", listener=listener, **more
        )

    return call


def trained(record, tmp_path):
    return Trained(RunFolder(tmp_path / "runs" / record.name), device="cpu")


def embeddings(method, images, tokens):
    with torch.no_grad():
        return method.encode_image(images), method.encode_text(tokens)


def plain_embeddings(state, images, tokens):
    """What open_clip's own model makes of the same towers."""
    model = load_clip(TINY).model
    model.load_state_dict(state)
    with torch.no_grad():
        return model.encode_image(images), model.encode_text(tokens)


def direct(method, state, images, tokens):
    if method == "cskt":
        return naive_cskt.encode_image(state, images), naive_cskt.encode_text(state, tokens)
    if method == "dm_adapter":
        return [tower.embeddings for tower in naive_field.dm_adapter(state, images, tokens, heads=(4, 4))]
    if method == "up_person":
        return naive_field.up_person(state, images, tokens, heads=(4, 4))
    beginnings = {"tbps_clip": ("encode_text.", "visual."), "irra": ("base_model.",)}[method]
    towers = {
        name.removeprefix("encode_text.").removeprefix("base_model."): value
        for name, value in state.items()
        if name.startswith(beginnings)
    }
    return plain_embeddings(towers, images, tokens)


@pytest.mark.parametrize("method", METHODS_WITH_A_MAP)
def test_an_imported_run_embeds_as_the_authors_tensors_do_wherever_its_folder_lies(
    bring, states, clip, tmp_path, method
):
    record = bring(method, states[method])
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    found = Trained(RunFolder(tmp_path / "moved" / record.name), device="cpu").method
    images, tokens = torch.randn(2, 3, 96, 32), clip.tokenize(CAPTIONS)
    for got, wanted in zip(
        embeddings(found, images, tokens), direct(method, states[method], images, tokens), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", ["cskt", "irra", "tbps_clip"])
def test_what_the_losses_need_is_taken_too(bring, states, tmp_path, method):
    own = load_file(tmp_path / "runs" / bring(method, states[method]).name / WEIGHTS)
    pairs = {
        "cskt": [
            ("prompts.image_to_text.2.weight", "prompt_learner.compound_prompt_projections_vision.1.weight")
        ],
        "irra": [
            ("cross_modal.attention.in_proj_weight", "cross_attn.in_proj_weight"),
            ("cross_modal.blocks.3.mlp.c_fc.bias", "cross_modal_transformer.resblocks.3.mlp.c_fc.bias"),
            ("word_head.words.weight", "mlm_head.fc.weight"),
        ],
        "tbps_clip": [("ss_image_head.2.weight", "simclr_mlp.2.weight"), ("log_scale", "logit_scale")],
    }[method]
    for ours, theirs in pairs:
        assert torch.equal(own[ours], states[method][theirs])


@pytest.mark.parametrize("method", METHODS_WITH_A_MAP)
def test_the_maps_cover_the_released_models_on_vit_b_16_by_name_and_shape(method):
    config = resolve(method, "cuhk")
    clip = load_clip(config.backbone, device="meta")
    more = {"persons": 11_003} if method == "irra" else {}
    state = getattr(authors_files, method)(clip, **more)
    found = METHODS.get(method).imported(state)
    assert {name: tuple(value.shape) for name, value in found.items()} == expected_tensors(config).shapes
    if method in (own := {"cskt": 12_117_888, "dm_adapter": 15_669_528, "up_person": 7_419_648 + 168}):
        assert sum(v.numel() for name, v in found.items() if "clip." not in name) == own[method]


def test_the_run_is_tested_once_and_marked_as_chosen_on_the_test_split(bring, states, tmp_path):
    record = bring("cskt", states["cskt"], test=True)
    assert record.status == "finished"
    assert record.selection == {"rule": "oracle"}
    assert record.config["eval"]["rule"] == "oracle"
    assert record.config["dataset"]["val"] == "none"
    assert record.imported.startswith("best.pth (sha256 ")
    assert record.metrics["test/icfg/t2i/R1"] <= record.intervals["test/icfg/t2i/R1"][1]
    assert record.data["train_pairs"] > 0
    assert record.name.startswith("cskt-icfg-twin-")
    assert "t2i/AP" in RunFolder(tmp_path / "runs" / record.name).queries()


def test_the_same_tensors_in_another_file_are_the_same_run_and_shown(bring, states, config, tmp_path):
    first = bring("tbps_clip", states["tbps_clip"], test=True)
    save_file(states["tbps_clip"], tmp_path / "again.safetensors")
    heard = Notes()
    again = import_checkpoint(
        config("tbps_clip"), tmp_path / "again.safetensors", runs=tmp_path / "runs", listener=heard
    )
    assert again == first
    assert "best.pth" in heard.notes[-1]
    assert len(all_runs(tmp_path / "runs")) == 1


@pytest.mark.slow
def test_other_tensors_or_settings_are_another_run(bring, states, clip):
    names = {
        bring("tbps_clip", states["tbps_clip"]).name,
        bring("tbps_clip", authors_files.tbps_clip(clip, seed=4)).name,
        bring("tbps_clip", states["tbps_clip"], "method.lr=0.5").name,
    }
    assert len(names) == 3


def test_forced_it_is_made_anew_and_the_old_one_set_aside(bring, states, tmp_path):
    record = bring("tbps_clip", states["tbps_clip"])
    bring("tbps_clip", states["tbps_clip"], force=True)
    assert (tmp_path / "runs" / f"{record.name}~1" / BACKBONE).is_file()


@pytest.mark.slow
def test_without_data_it_is_untested_until_it_is_imported_where_they_are(
    bring, states, tmp_path, twins, monkeypatch
):
    monkeypatch.setattr("harness.data.reading.ensure_twin", _missing)
    heard = Notes()
    record = bring("irra", states["irra"], test=None, listener=heard)
    assert record.status == "finished"
    assert not record.metrics
    assert "not on this machine" in " ".join(heard.notes)
    with pytest.raises(DataError):
        bring("irra", states["irra"], test=True)
    monkeypatch.undo()
    tested = bring("irra", states["irra"], test=None)
    assert tested.name == record.name
    assert tested.metrics
    assert tested.fingerprint


@pytest.mark.slow
def test_evaluating_an_untested_run_on_its_own_dataset_tests_it(bring, states, tmp_path):
    record = bring("tbps_clip", states["tbps_clip"])
    (result,) = evaluate_run(record.name, ["icfg"], runs=tmp_path / "runs", device="cpu")
    folder = RunFolder(tmp_path / "runs" / record.name)
    tested = folder.read()
    assert tested.metrics == result["metrics"]
    assert tested.data["train_pairs"] > 0
    assert tested.fingerprint
    assert folder.queries()
    heard = Notes()
    again = evaluate_run(record.name, ["icfg"], runs=tmp_path / "runs", device="cpu", listener=heard)
    assert again == [result]
    assert "shown" in heard.notes[-1]
    assert tested == bring("tbps_clip", states["tbps_clip"], test=True)


def test_once_tested_it_takes_the_place_of_its_untested_self_in_mlflow(bring, states, monkeypatch):
    before = []

    def publish(record, folder, store):
        before.append(record.tracking.get("run_id"))
        return {"synced": True, "run_id": "first", "uri": "here", "error": None}

    monkeypatch.setattr("harness.run.import_checkpoint.Store", lambda root: None)
    monkeypatch.setattr("harness.run.import_checkpoint.publish", publish)
    bring("tbps_clip", states["tbps_clip"])
    bring("tbps_clip", states["tbps_clip"], test=True)
    assert before == [None, "first"]


def _missing(dataset, root, listener):
    from harness.data.annotations import missing_twin
    from harness.paths import data_root

    raise missing_twin(dataset, data_root(root))


def test_it_is_evaluated_searched_and_started_from_like_any_run(bring, states, tmp_path, twins, clip):
    record = bring("tbps_clip", states["tbps_clip"])
    (result,) = evaluate_run(record.name, ["rstp"], runs=tmp_path / "runs", device="cpu")
    assert result["metrics"]["test/rstp/t2i/R1"] >= 0
    images = next((twins / "synthetic").rglob("imgs"))
    hits = trained(record, tmp_path).search("a red coat", images, top=2)
    assert len(hits) == 2
    towers = inherited_weights(record.name, "tiny", tmp_path / "runs").state
    name = "transformer.resblocks.0.ln_1.weight"
    assert torch.equal(towers[name], states["tbps_clip"][f"encode_text.{name}"])
    assert torch.equal(towers["visual.conv1.weight"], states["tbps_clip"]["visual.conv1.weight"])


def test_there_is_no_training_to_resume(bring, states, tmp_path):
    record = bring("cskt", states["cskt"])
    with pytest.raises(UsageError, match="imported from best"):
        resume_run(record.name, tmp_path / "runs")


def test_half_precision_and_the_prefix_of_distributed_training_change_nothing(bring, states, tmp_path):
    whole = {name: value.half().float() for name, value in states["cskt"].items()}
    halves = {f"module.{name}": value.half() for name, value in states["cskt"].items()}
    assert bring("cskt", whole).name == bring("cskt", halves).name
    own = trained(bring("cskt", halves), tmp_path).method
    assert {p.dtype for p in own.parameters()} == {torch.float32}


def test_positions_of_another_image_size_are_fitted_as_those_of_clip(bring, clip, tmp_path):
    small = load_clip(TINY.model_copy(update={"image_size": (64, 64)}))
    record = bring("tbps_clip", authors_files.tbps_clip(small))
    assert trained(record, tmp_path).method.clip.model.visual.positional_embedding.shape == (49, 128)


def test_a_part_that_only_training_needs_may_be_missing_and_is_said(bring, clip, states):
    heard = Notes()
    bring("tbps_clip", authors_files.tbps_clip(clip, full=False), listener=heard)
    assert "ss_image_head" in " ".join(heard.notes)
    bring("irra", authors_files.irra(clip, persons=7), listener=heard)
    assert any(note.startswith("classifier: not in the file") for note in heard.notes)
    with pytest.raises(UsageError, match=r"4 tensors unknown \(ss_image_head.0.bias.*--preset"):
        bring("tbps_clip", states["tbps_clip"], presets=["simplified"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("visual.proj"), r"1 tensor missing \(clip.model.visual.proj\)"),
        (
            lambda s: [s.pop(name) for name in list(s) if ".attn." in name],
            "28 tensors missing .* and 25 more",
        ),
        (lambda s: s.update(extra=torch.ones(1)), r"1 tensor unknown \(extra\)"),
        (
            lambda s: s.update({"visual.proj": torch.ones(128, 64)}),
            r"1 tensor of another shape \(clip.model.visual.proj \[128, 64\] instead of \[128, 128\]\)",
        ),
        (lambda s: s.update({"encode_text.positional_embedding": torch.ones(77, 64)}), "another shape"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_names_and_counts(
    bring, states, tmp_path, change, said
):
    state = dict(states["tbps_clip"])
    change(state)
    with pytest.raises(UsageError, match=said):
        bring("tbps_clip", state)
    assert not all_runs(tmp_path / "runs")


def test_a_gap_between_the_prompts_of_the_blocks_is_refused(bring, states):
    state = dict(states["cskt"])
    state["prompt_learner.compound_prompts_text.7"] = state.pop("prompt_learner.compound_prompts_text.0")
    with pytest.raises(UsageError, match=r"1 tensor missing \(prompts.text_own\); 3 tensors unknown"):
        bring("cskt", state)


def test_the_checkpoint_of_another_method_and_a_method_without_a_map_are_refused(bring, states):
    with pytest.raises(
        UsageError, match=r"does not contain what irra has on tiny.*Is it a checkpoint of this method"
    ):
        bring("irra", states["tbps_clip"])
    with pytest.raises(UsageError, match="coop has no map"):
        bring("coop", states["tbps_clip"])


def test_settings_that_contradict_the_file_are_refused(bring, states, config, tmp_path):
    with pytest.raises(UsageError, match=r"leave out backbone\.weights"):
        bring("cskt", states["cskt"], "backbone.weights=some.pt")
    with pytest.raises(UsageError, match=r"of another shape .*text_own"):
        bring("cskt", states["cskt"], "method.prompt_length=2")
    with pytest.raises(UsageError, match="QuickGELU"):
        expected_tensors(
            config(
                "cskt", "backbone.name=ViT-B-16", "backbone.pretrained=null", "backbone.image_size=[224,224]"
            )
        )
    with pytest.raises(UsageError, match="no checkpoint at"):
        import_checkpoint(config("cskt"), tmp_path / "nothing.pth", runs=tmp_path, test=False)


class Evil:
    """A pickle that would write a file if it were read as pickles are."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return open, (self.file, "w")


def test_code_in_a_pickle_is_refused_and_never_runs(bring, states, tmp_path):
    content = {"model": states["cskt"], "config": Evil(tmp_path / "ran")}
    with pytest.raises(DataError, match="was not unpickled"):
        bring("cskt", None, content=content)
    assert not (tmp_path / "ran").exists()
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(content))
    assert not (tmp_path / "ran").exists()


def test_settings_and_numbers_saved_beside_the_tensors_are_read_without_their_packages(
    bring, states, monkeypatch, tmp_path
):
    ran = []
    module = ModuleType("easydict")
    settings = type("EasyDict", (dict,), {"__module__": "easydict", "__setstate__": lambda *a: ran.append(a)})
    settings.__qualname__ = "EasyDict"
    module.EasyDict = settings
    monkeypatch.setitem(sys.modules, "easydict", module)
    beside = settings(model=settings(lr=1e-4))
    beside.name = "kept as an attribute too"
    content = {"model": states["tbps_clip"], "config": beside, "optimizer": {"lr": np.float64(0.1)}}
    assert bring("tbps_clip", None, content=content).status == "finished"
    assert not ran


def test_a_twin_is_not_taken_for_the_real_data_of_a_checkpoint(bring, states, twins):
    with pytest.raises(UsageError, match="holds a synthetic twin"):
        bring("cskt", states["cskt"], "dataset.synthetic=false", root=twins / "synthetic", test=None)


def test_the_command_imports_tests_and_shows_and_prints_json(states, twins, tmp_path):
    torch.save({"model": states["irra"]}, tmp_path / "best.pth")
    given = ["import", "irra", str(tmp_path / "best.pth"), "-d", "icfg", "--preset", "tiny"]
    given += ["--set", "dataset.synthetic=true", "--data-root", str(twins), "--runs", str(tmp_path / "runs")]
    record = json.loads(CliRunner().invoke(cli, [*given, "--json"], obj={"quiet": True}).stdout)
    assert record["metrics"]["test/icfg/t2i/mAP"] > 0
    shown = CliRunner().invoke(cli, given, obj={"quiet": True}).stdout
    assert "rule oracle" in shown
    assert "epoch chosen by the authors on the test split, which flatters" in shown
    assert "imported from best.pth" in shown


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite_are_refused_with_file_and_name(bring, states, tmp_path, value):
    state = {name: tensor.clone() for name, tensor in states["irra"].items()}
    state["base_model.ln_final.weight"][5] = value
    with pytest.raises(
        DataError, match=r"best\.pth cannot be used: its tensor base_model\.ln_final\.weight holds 1"
    ):
        bring("irra", state)
    assert not all_runs(tmp_path / "runs")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"<html><body>Quota exceeded</body></html>", "web page"), (b"", "empty file")],
)
def test_what_is_no_checkpoint_is_named_with_the_way_out(config, tmp_path, content, words):
    (tmp_path / "best.pth").write_bytes(content)
    with pytest.raises(DataError, match=rf"best\.pth holds no weights.*{words}"):
        import_checkpoint(config("cskt"), tmp_path / "best.pth", runs=tmp_path / "runs", test=False)


def test_the_data_of_an_imported_run_are_counted_as_those_of_a_trained_one(bring, states, twins):
    record = bring("cskt", states["cskt"], test=True)
    counts = read_marker(twins / "synthetic" / "ICFG-PEDES").counts
    train, test = counts["train"], counts["test"]
    assert (record.data["train_pairs"], record.data["train_images"]) == (train.captions, train.images)
    assert record.data["train_identities"] == train.identities
    assert (record.data["test_captions"], record.data["test_images"]) == (test.captions, test.images)
    assert record.data["test_identities"] == test.identities
    assert record.data["val_captions"] == 0


def test_a_path_that_leads_nowhere_is_told_before_anything_else(tmp_path):
    notes = Notes()
    with pytest.raises(UsageError, match=r"There is no checkpoint at .*nope\.pth: check the path"):
        import_checkpoint(released_config("tbps_clip", "cuhk"), tmp_path / "nope.pth", listener=notes)
    assert not notes.notes
