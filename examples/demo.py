"""Encode a dozen sentences in ten languages, and print which belong together."""

from __future__ import annotations

import time

import numpy as np

SENTENCES = [
    ("zh", "如何更换花呗绑定银行卡"),
    ("en", "How do I change the bank card of my account?"),
    ("de", "Wie ändere ich die Bankkarte meines Kontos?"),
    ("es", "¿Cómo cambio la tarjeta bancaria de mi cuenta?"),
    ("fr", "Le train pour Lyon part à huit heures."),
    ("it", "Il treno per Lione parte alle otto."),
    ("nl", "De trein naar Lyon vertrekt om acht uur."),
    ("pl", "Kot śpi na kanapie."),
    ("pt", "O gato está dormindo no sofá."),
    ("ru", "Кошка спит на диване."),
    ("zh", "猫在沙发上睡觉。"),
    ("en", "The stock market fell sharply on Monday."),
]


def step(name: str, start: float) -> float:
    """Print how long a step took; return the time."""
    now = time.perf_counter()
    print(f"{name:<28}{now - start:8.3f} s")
    return now


def main() -> None:
    """Run the demo."""
    clock = time.perf_counter()
    from text2vec import SentenceModel

    clock = step("import", clock)
    model = SentenceModel()
    clock = step("open it", clock)
    embeddings = model.encode([text for _, text in SENTENCES])
    step(f"encode {len(SENTENCES)} sentences", clock)

    scores = model.similarity(embeddings, embeddings)
    print(f"\n{model!r}: embeddings {embeddings.shape}, {embeddings.dtype}\n")
    print("cosine x 100   " + "".join(f"{lang:>4}" for lang, _ in SENTENCES))
    for (lang, text), row in zip(SENTENCES, scores, strict=True):
        print(f"{lang:>14} " + "".join(f"{100 * s:4.0f}" for s in row) + f"   {text}")

    print("\nnearest to each")
    np.fill_diagonal(scores, -1)
    for i, (lang, text) in enumerate(SENTENCES):
        best = int(scores[i].argmax())
        print(f"{scores[i, best]:.3f}  {lang} {text}")
        print("       {} {}".format(*SENTENCES[best]))


if __name__ == "__main__":
    main()
