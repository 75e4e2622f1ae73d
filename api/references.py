"""The references of the loaded models, for the comparison of what is sent with what they were made for."""

from pathlib import Path

from api.log import logger
from inference.drift import Reference, load_reference, reference_file
from inference.store import ModelStore

log = logger("hush")


def load_references(folder: Path, models: ModelStore) -> dict[str, Reference]:
    """By key, of those models that have one of their own version; raises `StoreError` for an unusable file."""
    found = {}
    for key, model in models.models.items():
        file = reference_file(folder, key)
        if not file.exists():
            continue
        reference = load_reference(file)
        if reference.version == model.info.version:
            found[key] = reference
        else:
            log.warning(
                "a reference is of another version than its model and not used",
                model=key,
                model_version=model.info.version,
                reference_version=reference.version,
            )
    return found
