"""Writes data/penguins.csv: 1,000 synthetic penguins of two species, the size of TFX's tutorial data. Seeded."""

import random
from pathlib import Path

COLUMNS = ["culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g", "species"]
MEANS = {0: (38.8, 18.3, 190.0, 3700.0), 1: (47.5, 15.0, 217.0, 5076.0)}
"""Adelie and Gentoo, as the Palmer Station measurements have them on average."""
DEVIATIONS = (3.6, 1.9, 14.0, 900.0)


def main() -> None:
    chance = random.Random(20130101)
    lines = [",".join(COLUMNS)]
    for _ in range(1000):
        species = int(chance.random() < 0.45)
        length, depth, flipper, mass = map(chance.gauss, MEANS[species], DEVIATIONS)
        lines.append(f"{length:.1f},{depth:.1f},{flipper:.0f},{mass:.0f},{species}")
    (Path(__file__).parent / "data" / "penguins.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
