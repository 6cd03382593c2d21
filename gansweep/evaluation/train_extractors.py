"""Trains the bundled classifiers: `python -m gansweep.evaluation.train_extractors digits mnist`.

Scores depend on the weights, so a released file is never trained again: new weights need a new name.
"""

import argparse
import json

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gansweep.data import Dataset, load
from gansweep.errors import say
from gansweep.evaluation.extractors import CLASSIFIERS, Classifier
from gansweep.evaluation.weights import BUNDLED, file_hash

EPOCHS = {"digits": 60, "mnist": 5}
SHIFT = {"digits": 0, "mnist": 1}  # in pixels, at random, against memorised training images
BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 64, 3e-3, 0.1


def train(dataset: Dataset, seed: int) -> Classifier:
    """Train a classifier on a data set's training images with AdamW and a one-cycle learning rate.

    Overconfidence on training images would raise the FID of samples that resemble them, and so the floor.
    """
    torch.manual_seed(seed)
    network = Classifier(*CLASSIFIERS[dataset.name])
    images, labels = dataset.train, _present(dataset.train_labels)
    n_steps = EPOCHS[dataset.name] * -(-len(images) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps)
    for _ in range(EPOCHS[dataset.name]):
        for index in torch.randperm(len(images)).split(BATCH_SIZE):
            _, logits = network(_shifted(images[index], SHIFT[dataset.name]))
            loss = cross_entropy(logits, labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return _standardised(network, images)


def _shifted(images: Tensor, most: int) -> Tensor:
    across, down = torch.randint(-most, most + 1, (2,)).tolist()
    return torch.roll(images, (down, across), dims=(2, 3))


@torch.no_grad()
def _standardised(network: Classifier, images: Tensor) -> Classifier:
    features, _ = network(images)
    network.mean.copy_(features.mean(0))
    network.sd.copy_(features.std(0))
    return network.eval()


def _present(labels: Tensor | None) -> Tensor:
    if labels is None:
        raise ValueError("a classifier needs labels")
    return labels


@torch.no_grad()
def accuracy(network: Classifier, images: Tensor, labels: Tensor) -> float:
    """Returns the share of images that are classified correctly."""
    accuracy: float = (network(images)[1].argmax(1) == labels).double().mean().item()
    return accuracy


def release(name: str, seed: int) -> dict[str, object]:
    """Train a classifier and write its weights with facts about them. Returns the facts."""
    dataset = load(name)
    network = train(dataset, seed)
    path = BUNDLED / f"{name}.pt"
    torch.save(dict(network.state_dict()), path)
    facts = {
        "test_accuracy": accuracy(network, dataset.test, _present(dataset.test_labels)),
        "seed": seed,
        "sha256": file_hash(path),
        "dataset_sha256": dataset.sha256,
        "torch": torch.__version__,
    }
    path.with_suffix(".json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled classifiers.")
    parser.add_argument("names", nargs="+", choices=sorted(CLASSIFIERS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.names:
        say(f"{name} {release(name, arguments.seed)}")


if __name__ == "__main__":
    main()
