"""Layouts that are known by name: those of published datasets and of widespread tools."""

from seglet.data.layouts import Layout

KNOWN = (
    Layout(
        name="Kaggle nuclei (one mask per object)",
        image="**/{id}/images/{id}.*",
        labels="**/{id}/masks/*.*",
        objects=True,
    ),
    Layout(
        name="DRIVE",
        image="**/{split}/images/{id}_{split}.*",
        labels="**/{split}/1st_manual/{id}_manual1.*",
        second="**/{split}/2nd_manual/{id}_manual2.*",
        fov="**/{split}/mask/{id}_{split}_mask.*",
    ),
    Layout(
        name="CHASE_DB1",
        image="**/Image_{group}{key}.jpg",
        labels="**/Image_{group}{key}_1stHO.*",
        second="**/Image_{group}{key}_2ndHO.*",
        fov="**/mask_{group}{key}.*",
    ),
    Layout(
        name="HRF",
        image="**/images/{id}.jpg",
        labels="**/manual1/{id}.tif",
        fov="**/mask/{id}_mask.tif",
    ),
    Layout(
        name="STARE",
        image="**/im{number}.*",
        labels="**/im{number}.ah.*",
        second="**/im{number}.vk.*",
    ),
    Layout(
        name="ISBI 2012 (stacks)",
        image="**/{split}-volume.*",
        labels="**/{split}-labels.*",
        pages=True,
    ),
    Layout(
        name="Cell Tracking Challenge",
        image="**/{group}/t{number}.tif",
        labels=("**/{group}_GT/SEG/man_seg{number}.tif", "**/{group}_ST/SEG/man_seg{number}.tif"),
        tracks="**/{group}_GT/TRA/man_track{number}.tif",
    ),
    Layout(
        name="LiTS",
        image="**/volume-{number}.*",
        labels="**/segmentation-{number}.*",
    ),
    Layout(
        name="nnU-Net",
        image="**/images{split}/{id}_{channel}.*",
        labels="**/labels{split}/{id}.*",
    ),
    *(
        Layout(
            name=f"folders {image} and {labels} (one mask per object)",
            image=f"**/{image}/{{id}}.*",
            labels=f"**/{labels}/{{id}}/*.*",
            objects=True,
        )
        for image in ("images", "image")
        for labels in ("masks", "labels", "annotations")
    ),
)
