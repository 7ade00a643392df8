"""Layouts read off folders."""

from seglet.data.folder_layouts import in_folders, place, without_labels


def test_a_channel_is_told_from_a_mask() -> None:
    names = [f"images/{case}_{channel}.nii.gz" for case in "ab" for channel in ("flair", "t1")]
    layout = in_folders([*names, "labels/a.nii.gz", "labels/b.nii.gz"])
    assert layout is not None
    assert (layout.image, layout.labels) == ("images/{id}_{channel}.*", "labels/{id}.*")


def test_a_companion_must_pair_by_the_same_variable() -> None:
    names = ["images/a.png", "images/b.png", "labels/a.png", "labels/b.png", "fov/x1.png", "fov/x2.png"]
    layout = in_folders(names)
    assert layout is not None
    assert layout.fov is None


def test_the_last_telling_folder_says_what_a_file_is() -> None:
    placed = place("train/images/p1/x.nii.gz")
    assert placed is not None
    assert (placed.word, placed.folders, placed.stem) == ("images", ("{split}", "images", "p1"), "x")
    assert place("x.png") is None


def test_images_alone_need_no_labels_and_labels_alone_are_no_images() -> None:
    layout = without_labels(["a/x.png", "a/y.png"])
    assert layout is not None
    assert (layout.image, layout.labels) == ("a/{id}.*", None)
    assert without_labels(["labels/x.png"]) is None
    assert without_labels([]) is None
