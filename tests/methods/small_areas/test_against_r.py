"""The small-area models against R: ``metafor`` for Fay–Herriot, ``lme4`` for the binomial-logit model."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from asco_dagster.methods.small_areas.binomial_logit import Cells, grid_of_deviations, posterior
from asco_dagster.methods.small_areas.fay_herriot import fay_herriot

METAFOR = """
suppressMessages(library(metafor))
d <- read.csv("in.csv")
fit <- rma.uni(yi = y, vi = psi, mods = ~ x1 + x2, data = d, method = "REML",
               control = list(threshold = 1e-14, maxiter = 1000))
write.csv(data.frame(blup = sprintf("%.17g", blup(fit)$pred), tau2 = sprintf("%.17g", fit$tau2)), "out.csv")
"""
LME4 = """
suppressMessages(library(lme4))
d <- read.csv("in.csv", colClasses = c(area = "character", region = "character", size = "factor"))
fit <- glmer(cbind(yes, no) ~ 0 + size + x + (1 | region) + (1 | area), data = d, family = binomial,
             control = glmerControl(optimizer = "bobyqa"))
areas <- unique(d[c("area", "region")])
areas$effect <- ranef(fit)$area[areas$area, 1] + ranef(fit)$region[areas$region, 1]
write.csv(areas, "out.csv")
write.csv(data.frame(beta = fixef(fit)), "fixed.csv")
"""


def run_r(script: str, library: str, rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """What an R script makes of ``in.csv``; skips, saying so, without R or the library."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("R is not installed (Debian: r-base-core)")
    if subprocess.run([program, "-e", f"library({library})"], capture_output=True, check=False).returncode:
        pytest.skip(f"R has no package {library} (Debian: r-cran-{library})")
    rows.to_csv(folder / "in.csv", index=False)
    subprocess.run([program, "-e", script], cwd=folder, check=True, capture_output=True, timeout=300)
    return pd.read_csv(folder / "out.csv", dtype={"area": str})


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.4, 0.12])
def test_fay_herriot_is_that_of_metafor(tmp_path: Path, spread: float) -> None:
    generator = np.random.default_rng(11)
    x = generator.normal(size=(95, 2))
    psi = generator.uniform(0.02, 0.3, 95)
    y = 1 + x @ [0.3, -0.2] + spread * generator.normal(size=95) + np.sqrt(psi) * generator.normal(size=95)
    rows = pd.DataFrame({"y": y, "psi": psi, "x1": x[:, 0], "x2": x[:, 1]})
    found = run_r(METAFOR, "metafor", rows, tmp_path)
    model = fay_herriot(y, psi, np.column_stack([np.ones(95), x]))
    assert model.variance > 0
    np.testing.assert_allclose(model.variance, found["tau2"][0], rtol=1e-7)
    np.testing.assert_allclose(model.estimate, found["blup"], atol=1e-8, rtol=0)


@pytest.mark.slow
def test_the_binomial_logit_model_is_that_of_lme4(tmp_path: Path) -> None:
    generator = np.random.default_rng(12)
    areas, classes, regions = 95, 5, 13
    region = generator.integers(0, regions, areas)
    x = generator.normal(size=areas)
    size = generator.integers(3, 40, (areas, classes))
    logit = np.linspace(-1.5, 1, classes) + (0.25 * x + 0.5 * generator.normal(size=areas))[:, None]
    logit += (0.2 * generator.normal(size=regions)[region])[:, None]
    yes = generator.binomial(size, expit(logit))
    rows = pd.DataFrame(
        {
            "area": np.repeat([f"a{area:02d}" for area in range(areas)], classes),
            "region": np.repeat([f"r{number:02d}" for number in region], classes),
            "size": np.tile(np.arange(classes), areas),
            "x": np.repeat(x, classes),
            "yes": yes.ravel(),
            "no": (size - yes).ravel(),
        }
    )
    found = run_r(LME4, "lme4", rows, tmp_path)
    fixed = pd.read_csv(tmp_path / "fixed.csv")["beta"].to_numpy()
    of_class = np.broadcast_to(np.eye(classes), (areas, classes, classes))
    of_area = np.broadcast_to(x[:, None, None], (areas, classes, 1))
    cells = Cells(np.concatenate([of_class, of_area], axis=2), region)
    model = posterior(yes[None].astype(float), size[None].astype(float), cells, grid_of_deviations())
    mine = np.einsum("b,bp->p", model.weight[:, 0], model.fixed[:, 0])
    effects = np.einsum("b,bd->d", model.weight[:, 0], model.area[:, 0])
    np.testing.assert_allclose(mine, fixed, atol=0.05)
    assert np.corrcoef(effects, found["effect"])[0, 1] >= 0.999
